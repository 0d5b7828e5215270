"""Names of runs: when, and two words that people can say to each other."""

import os
import time

ADJECTIVES = (
    "amber bold brave brisk calm clear clever cosy crisp dapper eager early fair fleet fond gentle glad golden "
    "grand happy hardy keen kind light lively loyal lucid lucky merry mild neat nimble noble patient plain proud "
    "quick quiet rapid ready rosy round sage sharp shy silver sleek sly smart smooth snug solid spry steady still "
    "stout sunny swift tidy true vivid warm wise witty young"
).split()
ANIMALS = (
    "adder alpaca badger bear beaver bison bobcat camel cat civet condor coyote crane crow deer dingo dolphin dove "
    "eagle egret falcon ferret finch fox gecko gibbon goose hare hawk heron horse ibex ibis jackal jay koala lark "
    "lemur lion llama lynx magpie marten mole moose newt ocelot orca otter owl panda puffin quail raven robin seal "
    "shrew sloth stoat stork swan tapir tern tiger toad trout turtle vole walrus weasel whale wolf wren yak zebra"
).split()


def new_run_id(seconds: float | None = None) -> str:
    """A fresh id such as `20261120-141503-quiet-otter`: UTC time and two random words.

    The store makes sure that no two runs share one; the words only make it likely at once.
    """
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    first, second = os.urandom(2)
    return f"{moment}-{ADJECTIVES[first % len(ADJECTIVES)]}-{ANIMALS[second % len(ANIMALS)]}"
