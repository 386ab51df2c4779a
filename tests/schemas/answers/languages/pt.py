"""Portuguese: a question, its options A to D, and what is read from texts."""

QUESTION = "Qual é a capital do país e quantos são?"
OPTIONS = ("maçã", "Lisboa", "a pera", "Porto")
CHOICE = (
    ("A resposta é B.", "B"),
    ("A resposta é A.", "A"),
    ("A resposta correta é a B.", "B"),
    ("Resposta: B", "B"),
    ("A resposta não é B.", None),
    ("Se chover, a resposta é B.", None),
    ("A alternativa correta é a letra B.", "B"),
    ("A resposta é A ou B.", None),
    ("B é a resposta correta.", "B"),
    ("Portanto, a resposta é: (B) Lisboa.", "B"),
    ("Gabarito: B", "B"),
    ("Resposta: letra B", "B"),
    ("Portanto, a alternativa correta é **B) Lisboa**.", "B"),
    ("A resposta correta é a alternativa B.", "B"),
    ("Resposta correta: B", "B"),
    ("A alternativa correta é a B.", "B"),
    ("A opção correta é (B).", "B"),
    ("**Resposta:** B", "B"),
    ("A resposta certa é B.", "B"),
    ("Logo, a resposta é a letra B.", "B"),
    ("A resposta pode ser B.", None),
    ("Não acho que a resposta seja B.", None),
    ("A resposta errada é B.", None),
)
NUMBER = (
    ("A resposta é 42.", "42"),
    ("Resposta final: R$ 1.234,56", "1234.56"),
    ("A resposta final é **42**.", "42"),
    ("Resposta: 42 maçãs", "42"),
    ("Resposta final: R$ 42", "42"),
)
YES_NO = (
    ("A resposta é sim.", "yes"),
    ("Não, porque é falso.", "no"),
    ("No Brasil, a lei permite isso.", None),
)
TEXT = ()
