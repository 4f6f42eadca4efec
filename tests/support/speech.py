"""What something says in a language."""

from funnelkit.language import speaking


def spoken(lang, write):
    """Return what `write` gives while `lang` is in force."""
    with speaking(lang):
        return write()
