from collections.abc import Iterator

default_migration_table: str

class Migration:
    id: str
    hash: str
    def process_steps(self, backend: object, direction: str, force: bool = False) -> None: ...

class MigrationList:
    def __iter__(self) -> Iterator[Migration]: ...
    def __len__(self) -> int: ...
