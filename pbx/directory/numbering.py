"""
Numbers of the public network: what a dialled one is in E.164, how it is dialled at home, and what kind it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import phonenumbers
from attrs import frozen
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult, shortnumberinfo
from phonenumbers.shortnumberinfo import ShortNumberCost

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

    from pbx.directory.permissions import CallClass
    from pbx.directory.plan import Site

LONGEST: Final = 32
"""Keys of the longest number that is looked at."""

LONGEST_PUBLIC: Final = 15
"""Digits of the longest number of E.164."""

REMEMBERED: Final = 8192
"""Numbers that are remembered with what they are: reading one takes longer than all the rest of a decision."""

SHORTEST_LOCAL: Final = 5
"""Digits that a number of the same area has at least: what is shorter is rather one of another exchange."""

LONGEST_SHORT: Final = 6
"""Digits of the longest short code, such as 116117."""

AT_HOME: Final = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
"""Regions of country code 1 that cost as one country; its others, in the Caribbean, are where thieves call."""

EVERYWHERE: Final = frozenset({870, 878, 881, 882, 883, 979})
"""Country codes of satellites and of global networks: they cost dollars a minute."""

BY_TYPE: Final[dict[int, CallClass]] = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    # Whoever is called has a share in these too (0180, 0844), and in personal numbers (070).
    PhoneNumberType.SHARED_COST: "premium",
    PhoneNumberType.PERSONAL_NUMBER: "premium",
    PhoneNumberType.PAGER: "premium",
}
"""The kinds of number that decide by themselves; all others are local or national."""

CARRIERS: Final = "10"
"""How the codes of other carriers begin (010 and two or three digits in Germany): with what stands behind them they
lead anywhere, at prices of their own."""

ORDER: Final[tuple[CallClass, ...]] = ("unknown", "free", "local", "national", "mobile", "international", "premium")
"""The kinds of number, the dearest last."""

ENQUIRIES: Final = "118"
"""How directory enquiries begin all over Europe: they set their prices, and put callers through to any number."""

_is_dialable = re.compile(r"\+?[0-9*#]+").fullmatch
_is_plain = re.compile(r"\+?[0-9]+").fullmatch


@frozen
class PublicNumber:
    """
    A number as the public network knows it.

    Attributes:
        given: The number that was read.
        e164: It in E.164, with ``+``; empty where it is no public number.
        national: It as it is dialled within the site's country, ``0...`` or ``00...``; likewise.
        call_class: What kind it is.
        reading: What its beginning says in E.164, also of a number with too many digits, for block lists; may be empty.
    """

    given: str
    e164: str
    national: str
    call_class: CallClass
    reading: str = ""

    @property
    def known(self) -> str:
        """
        E.164 where that is known, else what was read.
        """
        return self.e164 or self.given

    @property
    def priced(self) -> str:
        """
        What a rate is looked up by: with an order to the provider before it, or digits behind it, a number costs the
        same.
        """
        return self.e164 or self.reading


def is_dialable(number: str) -> bool:
    """
    Tell whether a number can be dialled on keys, and is not longer than any number is.
    """
    return len(number) <= LONGEST and _is_dialable(number) is not None


def is_country(code: str) -> bool:
    """
    Tell whether it is known how numbers are dialled in a country.
    """
    return code in phonenumbers.SUPPORTED_REGIONS


def trunk_prefix(country: str) -> str:
    """
    What is dialled before an area code within a country: ``0`` in Germany, ``1`` in the USA; empty for nothing.
    """
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    return (metadata.national_prefix or "") if metadata is not None else ""


def dialled(number: str, site: Site) -> PublicNumber:
    """
    Read a number as somebody at a site dials it, without outside prefix.
    """
    return _dialled(number, site.country, site.area_code)


def is_emergency(number: str, site: Site) -> bool:
    """
    Tell whether a number calls for help in a site's country.
    """
    # The digits of other scripts are on no key, and no trunk takes them.
    digits = number.isascii() and number.isdecimal()
    return digits and len(number) <= LONGEST_SHORT and _is_emergency(number, site.country)


def received(number: str, site: Site) -> PublicNumber:
    """
    Read a number as a provider sends it: mostly E.164, often without ``+``.
    """
    return _received(number, site.country, site.area_code)


def writings(number: str, site: Site) -> tuple[str, ...]:
    """
    The ways to write a number beyond the house: as given, in E.164 with and without ``+``, and as it is dialled.

    Whoever types a number into a block list or a route writes it in one of them.
    """
    return _writings(number, site.country, site.area_code, "")


def dialled_forms(number: str, site: Site) -> tuple[str, ...]:
    """
    The same, and as they are dialled here with the outside prefix.
    """
    return _writings(number, site.country, site.area_code, site.outside_prefix)


def same(one: str, other: str, site: Site) -> bool:
    """
    Tell whether a number as dialled by somebody here, with outside prefix or without, is one of beyond the house.
    """
    return one == other or one in dialled_forms(other, site)


@lru_cache(maxsize=REMEMBERED)
def _is_emergency(number: str, country: str) -> bool:
    return bool(shortnumberinfo.is_emergency_number(number, country))


@lru_cache(maxsize=REMEMBERED)
def _dialled(number: str, country: str, area_code: str) -> PublicNumber:
    if len(number) > LONGEST:
        return PublicNumber(number, "", "", "premium")
    if _is_plain(number) is None:
        return _ordered(number, country, area_code)
    if number.startswith("+"):
        return _of(number, _parsed(number, None), country, area_code, abroad=True)
    code = phonenumbers.country_code_for_region(country)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return PublicNumber(number, "", "", "unknown")
    short = _short(number, country)
    if short is not None:
        return PublicNumber(number, "", "", short)
    abroad = re.match(metadata.international_prefix or "(?!)", number) is not None
    trunk_prefix = metadata.national_prefix or ""
    as_read = number
    if not abroad and code == 1:
        if len(number) == 7:
            # Seven digits are a number of the same area.
            as_read = area_code + number if area_code else ""
    elif not abroad and trunk_prefix and not number.startswith(trunk_prefix):
        # Without the 0 in front it is a number of the same area, which only the provider knows where nobody says it.
        as_read = area_code + number if area_code and len(number) >= SHORTEST_LOCAL else ""
        whole = _parsed(number, country)
        if whole is not None and BY_TYPE.get(phonenumbers.number_type(whole)) == "premium":
            # Where such numbers are dialled without it, as 1900 in Australia.
            as_read = number
    if not as_read:
        return PublicNumber(number, "", "", "unknown")
    return _of(number, _parsed(as_read, country), country, area_code, abroad=abroad)


def _ordered(number: str, country: str, area_code: str) -> PublicNumber:
    """
    Read a number with other keys in it: ``*31#`` and the like are an order to the provider, and the number behind it
    costs the same; ``*61*NUMBER*11*20#`` has it send calls on to one.
    """
    parts = [part for part in re.split("[^0-9]", number) if part]
    if not parts or not is_dialable(number):
        return PublicNumber(number, "", "", "unknown")
    read = [_dialled(part, country, area_code) for part in parts]
    if number[0] not in "*#":
        # Who takes no orders may leave the keys out.
        whole = _dialled("".join(parts), country, area_code)
        read += [whole] if whole.call_class in ("international", "premium") else []
    dearest = max(reversed(read), key=lambda part: ORDER.index(part.call_class))
    return PublicNumber(number, "", "", dearest.call_class, dearest.reading)


@lru_cache(maxsize=REMEMBERED)
def _received(number: str, country: str, area_code: str) -> PublicNumber:
    if len(number) <= LONGEST and number.isdecimal() and number.isascii() and number[0] != "0":
        own = str(phonenumbers.country_code_for_region(country) or "-")
        international = _parsed("+" + number, None)
        national = _parsed(number, country)
        if number.startswith(own) and international is not None and phonenumbers.is_valid_number(international):
            return _of(number, international, country, area_code, abroad=False)
        readings = [(national, False), (international, True)]
        if _trunk_prefix(country):
            # A number of the country would begin with the 0 by which it is dialled there.
            readings.reverse()
        for parsed, abroad in readings:
            if parsed is not None and phonenumbers.is_valid_number(parsed):
                return _of(number, parsed, country, area_code, abroad=abroad)
    return _dialled(number, country, area_code)


@lru_cache(maxsize=REMEMBERED)
def _writings(number: str, country: str, area_code: str, outside_prefix: str) -> tuple[str, ...]:
    bare = number.partition("@")[0]
    known = _received(bare, country, area_code)
    all_of_them = [number, bare, known.e164, known.e164.removeprefix("+"), known.national]
    code = phonenumbers.country_code_for_region(country)
    if known.e164 and code:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
        abroad = metadata.international_prefix if metadata is not None else None
        if abroad and abroad.isdigit():
            all_of_them.append(abroad + known.e164[1:])
        if code == 1 and known.e164.startswith("+1"):
            all_of_them.append(known.e164[1:])
        if area_code and known.e164.startswith(f"+{code}{area_code}"):
            all_of_them.append(known.e164[len(f"+{code}{area_code}"):])
    if outside_prefix:
        all_of_them += [outside_prefix + each for each in all_of_them if each and not each.startswith("+")]
    return tuple(dict.fromkeys(each for each in all_of_them if each))


def _trunk_prefix(country: str) -> str:
    """
    What is dialled before a national number; empty in countries without, and in North America, where few dial it.
    """
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    return (metadata.national_prefix or "") if metadata is not None and metadata.country_code != 1 else ""


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None


def _of(number: str, parsed: PhoneNumber | None, country: str, area_code: str, *, abroad: bool) -> PublicNumber:
    if parsed is None:
        too_long = len(number) > LONGEST_PUBLIC
        return PublicNumber(number, "", "", "international" if abroad else "premium" if too_long else "unknown")
    behind = _behind_zero(number, parsed, country, abroad=abroad)
    if behind:
        reading = _dialled(behind, country, area_code).reading if behind != number else ""
        return PublicNumber(number, "", "", "premium", reading)
    call_class = _class(parsed, country, area_code)
    reading = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(parsed):
        if call_class in ("local", "national"):
            # Longer than any number of the country: by the code of another carrier it leads anywhere.
            too_long = phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.TOO_LONG
            call_class = "premium" if too_long else "unknown"
        return PublicNumber(number, "", "", call_class, reading)
    own = phonenumbers.country_code_for_region(country)
    if parsed.country_code == own and (own != 1 or phonenumbers.region_code_for_number(parsed) in (None, country)):
        shown = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        trunk_prefix = _trunk_prefix(country)
    else:
        shown, trunk_prefix = phonenumbers.format_out_of_country_calling_number(parsed, country), ""
    digits = "".join(filter(str.isdecimal, shown))
    if trunk_prefix and not digits.startswith(trunk_prefix):
        # Of a number that it does not know the library shows no more than the digits.
        digits = trunk_prefix + digits
    return PublicNumber(number, reading, digits, call_class, reading)


def _behind_zero(number: str, parsed: PhoneNumber, country: str, *, abroad: bool) -> str:
    """
    What is left of a number of the country that has a 0 too many before it; empty where it has none.

    Who leaves that out, a lenient provider or an exchange on the way, reads another number: ``+49 0 0900...`` becomes
    ``0900...``.
    """
    zero, significant = _trunk_prefix(country), phonenumbers.national_significant_number(parsed)
    if zero != "0" or not significant.startswith(zero) or len(significant) <= LONGEST_SHORT:
        # The 8 that is dialled in Russia begins numbers as well.
        return ""
    known = phonenumbers.number_type(parsed) != PhoneNumberType.UNKNOWN
    if known or not _at_home(parsed, country) or not (abroad or number.startswith(zero * 2)):
        return ""
    return significant


def _class(parsed: PhoneNumber, country: str, area_code: str) -> CallClass:
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        # The network connects a number although more was dialled than belongs to it.
        shorter = phonenumbers.PhoneNumber()
        shorter.merge_from(parsed)
        if phonenumbers.truncate_too_long_number(shorter):
            parsed, kind = shorter, phonenumbers.number_type(shorter)
    code = parsed.country_code
    if code in EVERYWHERE:
        return "premium"
    if kind == PhoneNumberType.TOLL_FREE and (code == 800 or code == phonenumbers.country_code_for_region(country)):
        return "free"
    if not _at_home(parsed, country):
        return "premium" if kind == PhoneNumberType.PREMIUM_RATE else "international"
    by_type = BY_TYPE.get(kind)
    if by_type is not None:
        return by_type
    fixed = kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    significant = phonenumbers.national_significant_number(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        if _short(significant, country) == "premium":
            # Enquiries are also reached by the code of the country before theirs.
            return "premium"
        if len(significant) > LONGEST_SHORT and significant.startswith(CARRIERS):
            return "premium"
    return "local" if fixed and area_code and significant.startswith(area_code) else "national"


def _at_home(parsed: PhoneNumber, country: str) -> bool:
    if parsed.country_code != phonenumbers.country_code_for_region(country):
        return False
    if parsed.country_code not in (1, 7):
        # Islands and city states behind the code of a larger country are dialled, and mostly cost, as its own.
        return True
    region = phonenumbers.region_code_for_number(parsed)
    return region in (None, country) or (region in AT_HOME and country in AT_HOME)


def _short(number: str, country: str) -> CallClass | None:
    """
    The kind of a number that is a short code in a country, ``None`` for one that is not.
    """
    if len(number) > LONGEST_SHORT:
        return None
    parsed = _parsed(number, country)
    if parsed is None or not shortnumberinfo.is_valid_short_number_for_region(parsed, country):
        return None
    # Also with the 0 of a long number before it.
    if phonenumbers.national_significant_number(parsed).startswith(ENQUIRIES) and parsed.country_code != 1:
        return "premium"
    cost = shortnumberinfo.expected_cost_for_region(parsed, country)
    if cost == ShortNumberCost.TOLL_FREE:
        return "free"
    return "premium" if cost == ShortNumberCost.PREMIUM_RATE else "unknown"
