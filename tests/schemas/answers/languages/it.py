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
    ("Risposta corretta: B", "B"),
    ("La risposta giusta è la B.", "B"),
    ("L'opzione corretta è la lettera B.", "B"),
    ("**Risposta:** B) Roma", "B"),
    ("La risposta corretta è **B**.", "B"),
    ("La risposta esatta è la (B).", "B"),
    ("La risposta potrebbe essere B.", None),
    ("Non penso che la risposta sia B.", None),
    ("La risposta è A oppure B.", None),
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
