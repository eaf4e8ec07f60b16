"""Methods: decompositions that worked, with holes for what differs, kept in files that people read, edit and share."""
