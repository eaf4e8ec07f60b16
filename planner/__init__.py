"""Planning, running and storing task trees; models, exports and the command line."""

if __name__ != "ramify.planner":
    raise ImportError(f"import ramify.planner instead of {__name__}: a second name would make a second copy of it")
