"""Italian: a question, its options A to D, and what is read from texts."""

QUESTION = "Quale è la capitale della regione e quanti sono?"
OPTIONS = ("mela rossa", "Roma", "la pera", "Milano")
CHOICE = (
    ("La risposta è B.", "B"),
    ("La risposta corretta è la B.", "B"),
    ("Risposta: B", "B"),
    ("La risposta non è B.", None),
    ("Se piove, la risposta è B.", None),
    ("L'opzione corretta è B.", "B"),
    ("La risposta è A o B.", None),
    ("B è la risposta corretta.", "B"),
    ("Quindi, la risposta è: B", "B"),
)
NUMBER = (
    ("La risposta è 42.", "42"),
    ("La risposta finale è 3,5.", "3.5"),
)
YES_NO = (
    ("La risposta è sì.", "yes"),
    ("Sì, perché è vero.", "yes"),
    ("No.", "no"),
)
TEXT = ()
