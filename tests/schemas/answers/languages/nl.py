"""Dutch: a question, its options A to D, and what is read from texts."""

QUESTION = "Welke stad is de hoofdstad van het land en hoeveel?"
OPTIONS = ("rode appel", "Utrecht", "de peer", "Leiden")
CHOICE = (
    ("Het antwoord is B.", "B"),
    ("Antwoord: B", "B"),
    ("Het juiste antwoord is dus (B) Utrecht.", "B"),
    ("Het antwoord is niet B.", None),
    ("Als het regent, is het antwoord B.", None),
    ("Daarom is het juiste antwoord B.", "B"),
    ("B is het juiste antwoord.", "B"),
    ("Het antwoord is A of B.", None),
    ("Het juiste antwoord is **B) Utrecht**.", "B"),
    ("Antwoord: **B**", "B"),
    ("Daarom is antwoord B juist.", "B"),
    ("De juiste optie is B.", "B"),
    ("Het antwoord is dus B.", "B"),
    ("Antwoord B is juist.", "B"),
)
NUMBER = (
    ("Het antwoord is 42.", "42"),
    ("Het antwoord is 3,5.", "3.5"),
    ("Het antwoord is dus **42**.", "42"),
    ("Antwoord: 42 appels", "42"),
)
YES_NO = (
    ("Het antwoord is ja.", "yes"),
    ("Nee, want het is koud.", "no"),
)
TEXT = ()
