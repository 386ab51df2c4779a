"""French: a question, its options A to D, and what is read from texts."""

QUESTION = "Quelle est la capitale du pays et combien ?"
OPTIONS = ("pomme rouge", "Paris", "la poire", "Lyon")
CHOICE = (
    ("La réponse est B.", "B"),
    ("La bonne réponse est la (B).", "B"),
    ("Réponse : B", "B"),
    ("La réponse correcte est donc B) Paris.", "B"),
    ("La réponse n'est pas B.", None),
    ("S'il pleut, la réponse est B.", None),
    ("B est la bonne réponse.", "B"),
    ("L'option correcte est B.", "B"),
    ("La réponse est A ou B.", None),
    ("Donc, B.", "B"),
    ("La réponse correcte à la question est : **B**", "B"),
    ("La mauvaise réponse est B.", None),
)
NUMBER = (
    ("Réponse finale : 42", "42"),
    ("La réponse est 3,5.", "3.5"),
    ("La réponse est 1 234,5 euros.", "1234.5"),
    ("La réponse est 42.\n\nQuestion : Combien ?\nLa réponse est 7.", "42"),
)
YES_NO = (
    ("La réponse est oui.", "yes"),
    ("Non, car il est tard.", "no"),
    ("Oui.", "yes"),
)
TEXT = (("La réponse est Paris.", "Paris"),)
