"""Indonesian: a question, its options A to D, and what is read from texts."""

QUESTION = (
    "Kota manakah yang adalah ibu kota dan berapa jumlah orang di dalam kota itu?"
)
OPTIONS = ("apel", "Jakarta", "pir", "Bandung")
CHOICE = (
    ("Jawaban: B", "B"),
    ("Jawaban yang benar adalah B.", "B"),
    ("Jadi, jawabannya adalah (B) Jakarta.", "B"),
    ("Jawabannya bukan B.", None),
    ("Jika hujan, jawabannya adalah B.", None),
    ("Jawabannya adalah A atau B.", None),
    ("**Jawaban:** B. Jakarta", "B"),
    ("Pilihan yang benar adalah B.", "B"),
    ("B adalah jawaban yang benar.", "B"),
)
NUMBER = (
    ("Jawabannya adalah 42.", "42"),
    ("Jawaban: 42 apel", "42"),
    ("Jawaban: Rp 1.234,56", "1234.56"),
    ("Jawaban: 5 ribu", "5000"),
)
YES_NO = (
    ("Jawabannya adalah ya.", "yes"),
    ("Tidak, karena dingin.", "no"),
)
TEXT = (("Jawabannya adalah Jakarta.", "Jakarta"),)
