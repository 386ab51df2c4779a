"""Spanish: a question, its options A to D, and what is read from texts."""

QUESTION = "¿Cuál es la capital del país y cuántos?"
OPTIONS = ("manzana roja", "Madrid", "la pera", "Sevilla")
CHOICE = (
    ("La respuesta es B.", "B"),
    ("La respuesta correcta es la opción B.", "B"),
    ("Respuesta: B) Madrid", "B"),
    ("La respuesta no es B.", None),
    ("Si llueve, la respuesta es B.", None),
    ("Por lo tanto, la opción correcta es la B.", "B"),
    ("La respuesta es A o B.", None),
    ("B es la respuesta correcta.", "B"),
    ("La respuesta es Madrid.", "B"),
    ("La respuesta es la pera.", "C"),
    ("¿La respuesta es B?", None),
    ("**Respuesta:** La respuesta correcta es **B**.", "B"),
)
NUMBER = (
    ("La respuesta es 42.", "42"),
    ("Respuesta final: 3,5 kg", "3.5"),
    ("La respuesta es 5 mil.", "5000"),
    ("Respuesta: Juan tiene 5 manzanas.", "5"),
)
YES_NO = (
    ("La respuesta es sí.", "yes"),
    ("Sí, porque es verdad.", "yes"),
    ("La respuesta es no.", "no"),
)
TEXT = (("La respuesta es Madrid.", "Madrid"),)
