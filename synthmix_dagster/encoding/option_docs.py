"""Descriptions of options, read from the docstrings of the classes that declare them."""

import inspect


def attribute_docs(declaring: type) -> dict[str, str]:
    """What a class and its bases say of their attributes, so that it is said in one place.

    Examples
    --------
    >>> class Knob:
    ...     '''A knob.
    ...
    ...     Attributes
    ...     ----------
    ...     low, high : int
    ...         Ends of the
    ...         scale.
    ...     '''
    >>> attribute_docs(Knob)
    {'low': 'Ends of the scale.', 'high': 'Ends of the scale.'}
    """
    docs: dict[str, str] = {}
    for base in reversed(declaring.__mro__):
        text = inspect.cleandoc(vars(base).get("__doc__") or "")
        _, _, section = text.partition("Attributes\n----------\n")
        names: list[str] = []
        for line in section.splitlines():
            if line.startswith(" "):
                for name in names:
                    docs[name] = f"{docs[name]} {line.strip()}".strip()
            elif " : " in line:
                listed, _, _ = line.partition(" : ")
                names = listed.split(", ")
                docs |= dict.fromkeys(names, "")
            elif line:
                # The next section, such as the examples.
                break
    return {name: text for name, text in docs.items() if text}
