"""Swahili: a question, its options A to D, and what is read from texts."""

QUESTION = "Ni mji gani mkuu wa nchi na una watu ngapi kwa idadi?"
OPTIONS = ("tofaa", "Dodoma", "peasi", "Arusha")
CHOICE = (
    ("Jibu: B", "B"),
    ("Jibu sahihi ni B.", "B"),
    ("Kwa hivyo, jibu ni (B) Dodoma.", "B"),
    ("Jibu si B.", None),
    ("Ikiwa mvua itanyesha, jibu ni B.", None),
    ("Jibu ni A au B.", None),
)
NUMBER = (
    ("Jibu: 42.", "42"),
    ("Jibu ni 42.", "42"),
    ("Jibu: Shule hiyo ina walimu 36.", "36"),
)
YES_NO = (
    ("Jibu ni ndiyo.", "yes"),
    ("Hapana, kwa sababu kuna baridi.", "no"),
)
TEXT = ()
