"""
How extensions are handled, as star codes change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pbx.features.star import IHandling, NotChangedError
from pbx.store.database import DatabaseError
from pbx.store.extensions import UnknownExtensionError

if TYPE_CHECKING:
    from pbx.store.extensions import Extensions


@implementer(IHandling)
class KeptHandling:
    """
    The column ``handling`` of the extensions.
    """

    def __init__(self, extensions: Extensions) -> None:
        self._extensions = extensions

    async def change(self, number: str, **changes: Any) -> None:
        """
        Change some attributes.
        """
        try:
            await self._extensions.change_handling(number, **changes)
        except UnknownExtensionError as error:
            raise NotChangedError(f"there is no extension {number} any more") from error
        except DatabaseError as error:
            raise NotChangedError(f"the database: {error}") from error
