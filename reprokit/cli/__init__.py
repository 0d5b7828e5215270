"""The command line: one verb a file. It parses, calls one library function and shows what it returned."""
