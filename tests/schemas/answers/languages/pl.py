"""Polish: a question, its options A to D, and what is read from texts."""

QUESTION = "Które miasto jest stolicą i ile ma mieszkańców?"
OPTIONS = ("jabłko", "Warszawa", "gruszka", "Kraków")
CHOICE = (
    ("Odpowiedź: B", "B"),
    ("Poprawna odpowiedź to B.", "B"),
    ("Prawidłową odpowiedzią jest B.", "B"),
    ("Odpowiedź to nie B.", None),
    ("Jeśli pada, odpowiedź to B.", None),
    ("Odpowiedź to A lub B.", None),
    ("Poprawna odpowiedź brzmi: **B**", "B"),
    ("B jest poprawną odpowiedzią.", "B"),
    ("Odpowiedź B.", "B"),
    ("Prawidłowa odpowiedź to **B) Warszawa**.", "B"),
    ("Odpowiedź: **B**", "B"),
    ("Poprawną odpowiedzią jest odpowiedź B.", "B"),
    ("Zatem poprawna odpowiedź to B.", "B"),
    ("Prawidłowa odpowiedź: B.", "B"),
    ("Odpowiedź B jest poprawna.", "B"),
    ("Odpowiedź może być B.", None),
    ("Poprawna odpowiedź to nie B, lecz może C.", None),
)
NUMBER = (
    ("Odpowiedź to 42.", "42"),
    ("Ostateczna odpowiedź: 3,5", "3.5"),
    ("Odpowiedź: 5 tysięcy", "5000"),
)
YES_NO = (
    ("Odpowiedź brzmi: tak.", "yes"),
    ("Nie, ponieważ jest zimno.", "no"),
    ("Tak.", "yes"),
)
TEXT = ()
