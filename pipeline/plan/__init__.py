"""How large a machine, or how many of them, so many streams need: by costs that were measured."""
