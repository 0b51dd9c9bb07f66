"""
The part of yoyo-migrations 9 that is used.
"""

from yoyo.migrations import MigrationList

def read_migrations(*sources: str) -> MigrationList: ...
