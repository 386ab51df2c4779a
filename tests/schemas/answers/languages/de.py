"""German: a question, its options A to D, and what is read from texts."""

QUESTION = "Welche Stadt ist die Hauptstadt und wie viele Einwohner hat sie?"
OPTIONS = ("roter Apfel", "Berlin", "grüne Birne", "Wien")
CHOICE = (
    ("Überlegen wir. Antwort: B", "B"),
    ("Die Antwort ist B.", "B"),
    ("Also lautet die richtige Antwort: **B) Berlin**", "B"),
    ("Daher ist die richtige Antwort (C).", "C"),
    ("Die richtige Antwort ist Berlin.", "B"),
    ("Die Antwort ist nicht B.", None),
    ("Wenn es regnet, ist die Antwort B.", None),
    ("B ist die richtige Antwort.", "B"),
    ("Die Antwort ist A oder B.", None),
    ("Die richtige Option ist B.", "B"),
    ("Ist die Antwort B?", None),
    ("## Endgültige Antwort\n\nB", "B"),
    ("Keine der Optionen passt. Die Antwort ist keine davon.", None),
    ("Antwort: B, weil Berlin groß ist.", "B"),
    ("Also (B).", "B"),
    ("Zum Beispiel: Die Antwort ist B.", None),
    ("Die Antwort ist ABD.", None),
)
NUMBER = (
    ("Die Antwort ist 42 Äpfel.", "42"),
    ("Antwort: 1.234,56 €", "1234.56"),
    ("Das Ergebnis ist 3,5.", "3.5"),
    ("Die Antwort lautet 1.200.", "1200"),
    ("Die Antwort ist nicht 42.", None),
    ("Die Antwort ist 3 bis 4.", None),
    ("Die Antwort beträgt 5 Millionen.", "5000000"),
    ("Die Antwort ist 42.\n\nFrage: Wie viele?\nDie Antwort ist 7.", "42"),
    (
        "Schritt-für-Schritt-Antwort: Roger beginnt mit 5 Bällen. 5+6=11. Die Antwort ist 11.",
        "11",
    ),
    ("Antwort: 8 Stifte kosten 12 Euro.", None),
    ("Antwort: 12 Euro (8 Stifte).", "12"),
    ("Wenn wir sie addieren, ist die Antwort 42.", "42"),
)
YES_NO = (
    ("Die Antwort ist ja.", "yes"),
    ("Nein, weil es kalt ist.", "no"),
    ("Antwort: Nein", "no"),
)
TEXT = (("Die Antwort ist Rhein.", "Rhein"),)
