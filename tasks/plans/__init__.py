"""Plan files: YAML, JSON and Markdown outlines that a person reads and edits, to trees and back.

Knows no model and no run. Begin with `plans`.
"""
