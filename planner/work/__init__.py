"""What a worker is given and gives back: context, inputs, grants, steps, memory, outcome.

Knows no single worker, and not how a run is carried on. Begin with `protocol`.
"""
