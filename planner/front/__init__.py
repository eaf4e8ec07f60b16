"""The package `ramify` itself: every public name of `ramify.planner`, `ramify.tasks` and `ramify.prompts`, loaded lazily."""
