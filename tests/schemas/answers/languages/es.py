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
    ("Por lo tanto, la respuesta correcta es **B) Madrid**.", "B"),
    ("Respuesta final: B", "B"),
    ("La alternativa correcta es la B.", "B"),
    ("La opción B es la correcta.", "B"),
    ("Respuesta correcta: B", "B"),
    ("La respuesta correcta es: **B**", "B"),
    ("La respuesta es la letra B.", "B"),
    ("Así que la respuesta es (B).", "B"),
    ("**Respuesta: B**", "B"),
    ("La respuesta es la opción (B) Madrid.", "B"),
    ("La respuesta correcta es la B, porque es la capital.", "B"),
    ("La respuesta correcta sería B.", "B"),
    ("La respuesta podría ser B.", None),
    ("No creo que la respuesta sea B.", None),
    ("La respuesta depende.", None),
    ("La respuesta es A y B.", None),
    ("La respuesta incorrecta es B.", None),
)
NUMBER = (
    ("La respuesta es 42.", "42"),
    ("Respuesta final: 3,5 kg", "3.5"),
    ("La respuesta es 5 mil.", "5000"),
    ("Respuesta: Juan tiene 5 manzanas.", "5"),
    ("La respuesta final es $42$.", "42"),
    ("**Respuesta:** 42 manzanas", "42"),
    ("La respuesta es: 42", "42"),
    ("Respuesta: Juan tiene 42 manzanas.", "42"),
    ("La respuesta es **$42**.", "42"),
    ("Respuesta: Janet tiene 16 huevos. Come 3 y usa 4.\n\n\\boxed{18}", "18"),
    (
        "**Answer:** $\\boxed{18}$\n\nRespuesta: Janet tiene 16 huevos. Vende 9 a 2 dólares.\n\n\\boxed{18}",
        "18",
    ),
)
YES_NO = (
    ("La respuesta es sí.", "yes"),
    ("Sí, porque es verdad.", "yes"),
    ("La respuesta es no.", "no"),
)
TEXT = (("La respuesta es Madrid.", "Madrid"),)
