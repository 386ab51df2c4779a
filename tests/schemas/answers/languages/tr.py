"""Turkish: a question, its options A to D, and what is read from texts."""

QUESTION = "Hangi şehir bir başkent ve kaç kişi için?"
OPTIONS = ("elma", "Ankara", "armut", "İzmir")
CHOICE = (
    ("Cevap: B", "B"),
    ("Cevap B'dir.", "B"),
    ("Doğru cevap B şıkkıdır.", "B"),
    ("Doğru cevap: **B) Ankara**", "B"),
    ("Cevap B değildir.", None),
    ("Eğer yağmur yağarsa cevap B olur.", None),
    ("Cevap A veya B.", None),
    ("Doğru yanıt B seçeneğidir.", "B"),
    ("B doğru cevaptır.", "B"),
    ("CEVAP: B", "B"),
    ("YANIT: B", "B"),
    ("Dolayısıyla doğru cevap (B) seçeneğidir.", "B"),
    ("Bu nedenle doğru cevap **B** seçeneğidir.", "B"),
    ("Cevap: B şıkkı", "B"),
    ("Yanıt: **B**", "B"),
    ("Doğru seçenek B'dir.", "B"),
    ("Doğru cevap: B", "B"),
    ("Cevap (B) Ankara.", "B"),
    ("Doğru cevap B: Ankara.", "B"),
    ("Doğru cevap **B) Ankara**'dır.", "B"),
    ("B seçeneği doğrudur.", "B"),
    ("Cevap B olabilir.", None),
    ("Cevap A ya da B.", None),
    ("Yanlış cevap B.", None),
)
NUMBER = (
    ("Cevap 42.", "42"),
    ("Cevap 42'dir.", "42"),
    ("Cevap: 3,5", "3.5"),
    ("Cevap 5 bin.", "5000"),
    ("Cevap: 42 elma", "42"),
    ("Sonuç: 42", "42"),
    ("Cevap 42 elmadır.", "42"),
    ("Doğru cevap **42**'dir.", "42"),
)
YES_NO = (
    ("Cevap: Evet", "yes"),
    ("Hayır, çünkü soğuk.", "no"),
    ("Cevap hayır.", "no"),
)
TEXT = ()
