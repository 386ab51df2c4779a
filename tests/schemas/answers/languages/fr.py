"""French: a question, its options A to D, and what is read from texts."""

QUESTION = "Quelle est la capitale du pays et combien ?"
OPTIONS = ("pomme rouge", "Paris", "la poire", "Lyon")
CHOICE = (
    ("La réponse est B.", "B"),
    ("La bonne réponse est la (B).", "B"),
    ("Réponse : B", "B"),
    ("La réponse correcte est donc B) Paris.", "B"),
    ("La réponse n'est pas B.", None),
    ("S'il pleut, la réponse est B.", None),
    ("B est la bonne réponse.", "B"),
    ("L'option correcte est B.", "B"),
    ("La réponse est A ou B.", None),
    ("Donc, B.", "B"),
    ("La réponse correcte à la question est : **B**", "B"),
    ("La mauvaise réponse est B.", None),
    ("La bonne réponse est donc : **B**", "B"),
    ("La réponse est : B.", "B"),
    ("La réponse B est correcte.", "B"),
    ("La réponse correcte est l'option B.", "B"),
    ("**Réponse :** B", "B"),
    ("La réponse correcte est la réponse B.", "B"),
    ("Réponse correcte : B) Paris", "B"),
    ("La bonne réponse est : (B) Paris.", "B"),
    ("Par conséquent, la réponse est B.", "B"),
    ("Réponse: B. Paris", "B"),
    ("L'option B est la bonne réponse.", "B"),
    ("La réponse est « B ».", "B"),
    ("La réponse pourrait être B.", None),
    ("Je ne pense pas que la réponse soit B.", None),
    ("La réponse dépend du contexte.", None),
    ("La réponse est soit A, soit B.", None),
    ("La réponse est B ou C.", None),
    ("La réponse est B, pas C.", "B"),
)
NUMBER = (
    ("Réponse finale : 42", "42"),
    ("La réponse est 3,5.", "3.5"),
    ("La réponse est 1 234,5 euros.", "1234.5"),
    ("La réponse est 42.\n\nQuestion : Combien ?\nLa réponse est 7.", "42"),
    ("Réponse finale : **42**", "42"),
    ("La réponse est 42 $.", "42"),
    ("La réponse finale est donc $42$.", "42"),
    ("**Réponse : 42 pommes**", "42"),
    (
        "Voici le problème en français :\n\nQuestion : Combien ?\n\nSolution : 80/8 = 10.\n\nRéponse : 10.",
        "10",
    ),
    ("Le prix est donc de 29,50 euros pour les trois amis.\n\nAnswer: 29,50.", "29.50"),
    ("Les trois amis ont donc $\\boxed{29,50}$ euros.", "29.50"),
)
YES_NO = (
    ("La réponse est oui.", "yes"),
    ("Non, car il est tard.", "no"),
    ("Oui.", "yes"),
)
TEXT = (("La réponse est Paris.", "Paris"),)
