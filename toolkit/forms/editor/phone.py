"""Phone numbers as the hosted product's messages would use them; never changed when stored."""

from __future__ import annotations

import phonenumbers


def number_to_call(phone: str, country_code: str | None = None) -> str:
    """Return what a text message would be sent to.

    A number with a leading ``+`` is used as it is. Without one, the calling code of
    the country is put before it, even where that doubles it (documented).

    Parameters
    ----------
    phone
        The ``$phone`` of a profile.
    country_code
        Its ``$country_code``, such as ``"NO"``.

    Examples
    --------
    >>> number_to_call("+47 900 12 345"), number_to_call("90012345", "NO")
    ('+47 900 12 345', '+4790012345')
    >>> number_to_call("4790012345", "NO")
    '+474790012345'
    """
    phone = phone.strip()
    if phone.startswith("+"):
        return phone
    code = phonenumbers.country_code_for_region((country_code or "").upper())
    return f"+{code}{phone}" if code else phone


def doubt(phone: str, country_code: str | None = None) -> str | None:
    """Return what is doubtful about a phone number, as a sentence; None if nothing is.

    >>> doubt("+47 900 12 345") is None
    True
    >>> print(doubt("4790012345", "NO"))
    Messages would go to +474790012345: the calling code of NO is already there, but is added again.
    >>> doubt("90012345")
    'Without a leading + or a Country it is not clear which country this number is in.'
    """
    called = number_to_call(phone, country_code)
    if not called.startswith("+"):
        return "Without a leading + or a Country it is not clear which country this number is in."
    try:
        parsed = phonenumbers.parse(called)
    except phonenumbers.NumberParseException:
        return f"{called} is not a phone number that can be called."
    if phonenumbers.is_possible_number(parsed):
        return None
    code = str(phonenumbers.country_code_for_region((country_code or "").upper()))
    if not phone.strip().startswith("+") and phone.strip().startswith(code):
        return (
            f"Messages would go to {called}: the calling code of {country_code} is already there, "
            "but is added again."
        )
    return f"{called} is too long or too short for a phone number of its country."
