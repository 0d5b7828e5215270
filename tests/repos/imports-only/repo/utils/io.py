import json
import yaml

print(json, yaml)
