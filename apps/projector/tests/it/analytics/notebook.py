"""Runs the cells of a notebook in order, as a kernel does, and prints how many figures it drew."""

import json
import sys

import matplotlib.pyplot

with open(sys.argv[1], encoding="utf-8") as file:
    cells = json.load(file)["cells"]
code = [cell for cell in cells if cell["cell_type"] == "code"]
assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
names = {"__name__": "__main__"}
for cell in code:
    exec(compile("".join(cell["source"]), sys.argv[1], "exec"), names)
print(len(matplotlib.pyplot.get_fignums()))
