"""Words with which answers are stated, in every language that is read but English.

To add a language, add a row to `LANGUAGES`, and a table of texts to
tests/schemas/answers/languages. Words are lower-case. A word is also found with its
accents apart (NFD), and as people type it: ı as i, ё as е, أ as ا, ة as ه.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Words = tuple[str, ...]


def _words(text: str) -> Words:
    """Split a row's words, which are parted by "|"."""
    return tuple(word.strip() for word in text.split("|"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Language:
    """How one language states an answer."""

    code: str
    """Of ISO 639, which ends the ids of the rules: answer_is:de."""
    name: str
    left_bound: bool = True
    """Whether a space or mark comes before a word; not so in Chinese and Japanese."""
    right_bound: bool = True
    """Whether a space or mark follows a word; a Korean particle follows directly."""
    decimal_comma: bool = False
    """Whether 3,5 is three and a half."""
    common: Words = ()
    """Short words by which the language is known. No English word is among them."""

    answer: Words
    """Nouns for the answer, with the prefixes and suffixes that they come with."""
    solution: Words = ()
    """Nouns that head the reasoning too, and so count only with a verb."""
    correct: Words
    """Correct, final, best: adjectives beside the noun."""
    wrong: Words
    """Wrong, false, beside the noun: another one is meant, unless a question asks so."""
    option: Words
    """Nouns before a label, such as "option"."""
    about: Words = ()
    """What may follow the noun: "to the question"."""
    articles: Words = ()
    """Before the noun."""
    copulas: Words
    """Between the noun and the answer, as in "the answer is"."""
    inverted: bool = False
    """Whether the verb may come before the noun: "Daher ist die Antwort B"."""
    bare: bool = False
    """Whether there may be no verb: "Cevap B", "उत्तर B है"."""
    tails: Words = ()
    """What follows the answer in its sentence and is no part of it: です."""
    is_answer: Words = ()
    """Predicates after an answer, beside copula and noun: "가 정답입니다"."""
    is_correct: Words = ()
    """The same without the noun, which count only if nothing stronger does."""
    choose: Words = ()
    """Verbs before a label that conclude: 故选."""
    pick: Words = ()
    """Verbs before a label that count only if nothing stronger does."""

    so: Words
    because: Words
    conditions: Words
    """If, unless, suppose."""
    examples: Words
    """For example: what follows is none of the text's own answer."""
    negations: Words
    denials: Words = ()
    """Negations that come behind the answer, where the verb does."""
    that: Words
    """Between "I do not think" and the answer."""
    limits: Words
    """At least, less than, between: before a number that is none then."""
    joins: Words
    """Or, and, to: between two answers, neither of which is the one."""
    yes: Words
    no: Words
    none: Words
    """Says that there is no answer, or no single one."""
    scales: Mapping[str, int] = field(default_factory=dict)
    """Scale words after a number, and their power of ten."""

    question_heads: Words
    """Heads of an invented next question."""
    rationale_heads: Words
    """Heads of the reasoning."""


LANGUAGES = (
    Language(
        code="de",
        name="German",
        decimal_comma=True,
        common=_words(
            "der|und|ist|nicht|das|ein|eine|mit|für|auf|den|wie|wird|sind|sich|welche"
            "|welcher|oder|wir|auch|aber|weil"
        ),
        answer=_words(
            "antwort|endergebnis|ergebnis|endantwort|antwortmöglichkeit"
            "|antwortoption|schlussantwort"
        ),
        solution=_words("lösung"),
        correct=_words(
            "richtige|korrekte|endgültige|beste|finale|gesuchte|passende|zutreffende"
            "|richtiges|korrekte"
        ),
        wrong=_words("falsche|falschen|inkorrekte|unzutreffende"),
        option=_words("option|antwort|antwortmöglichkeit|möglichkeit|buchstabe"),
        about=_words("auf die frage|auf diese frage|hier|also|daher|somit"),
        articles=_words("die|das|meine|unsere|eine"),
        copulas=_words(
            "ist|lautet|wäre|ist also|ist daher|ist somit|lautet also|lautet daher"
            "|lautet somit|muss sein|beträgt"
        ),
        inverted=True,
        tails=_words("ist|lautet"),
        is_correct=_words(
            "richtig|korrekt|zutreffend|ist richtig|ist korrekt|ist zutreffend|stimmt|trifft zu"
        ),
        pick=_words("ich wähle|wir wählen|ich entscheide mich für"),
        so=_words(
            "also|daher|deshalb|somit|folglich|demnach|daraus folgt|damit|insgesamt"
        ),
        because=_words("weil|denn|da|aufgrund|wegen"),
        conditions=_words("wenn|falls|sofern|angenommen|es sei denn|vorausgesetzt"),
        examples=_words("zum beispiel|beispielsweise|z.b.|beispiel"),
        negations=_words("nicht|kein|keine|keinesfalls|weder|niemals"),
        denials=_words("nicht"),
        that=_words("dass|daß|ob"),
        limits=_words(
            "mindestens|höchstens|weniger als|mehr als|maximal|unter|über|zwischen"
        ),
        joins=_words("oder|und|bis|bzw."),
        yes=_words("ja|wahr|richtig|stimmt"),
        no=_words("nein|falsch|unwahr"),
        none=_words(
            "keine|keiner|keines|unbekannt|unklar|nicht bekannt|nicht bestimmbar"
            "|nicht angegeben|entweder|beide"
        ),
        scales={
            "tausend": 3,
            "million": 6,
            "millionen": 6,
            "mio": 6,
            "milliarde": 9,
            "milliarden": 9,
            "mrd": 9,
        },
        question_heads=_words("frage|nächste frage|aufgabe|problem|benutzer|nutzer"),
        rationale_heads=_words(
            "begründung|erklärung|lösung|lösungsweg|rechnung|überlegung"
            "|schritt-für-schritt-antwort"
        ),
    ),
    Language(
        code="fr",
        name="French",
        decimal_comma=True,
        common=_words(
            "le|la|les|des|est|une|du|et|dans|pour|qui|que|sur|avec|quelle|quel|donc"
            "|sont|il|elle|nous|car|au|pas|mais"
        ),
        answer=_words("réponse|reponse|résultat final"),
        correct=_words(
            "correcte|exacte|finale|bonne|juste|correct|appropriée|définitive|meilleure"
            "|attendue"
        ),
        wrong=_words("mauvaise|incorrecte|fausse"),
        option=_words("option|réponse|choix|lettre|proposition"),
        about=_words("à la question|à cette question|ici|donc|au problème"),
        articles=_words("la|ma|notre|cette|l'"),
        copulas=_words("est|est donc|serait|doit être|est alors|sera|est bien"),
        is_correct=_words(
            "est correcte|est correct|est la bonne|est juste|est exacte|est la plus"
            " appropriée"
        ),
        pick=_words("je choisis|nous choisissons|je sélectionne"),
        so=_words("donc|ainsi|par conséquent|alors|en conclusion|au final|finalement"),
        because=_words("parce que|parce qu'|car|puisque|en raison|étant donné"),
        conditions=_words("si|s'il|supposons|à moins|en supposant|à condition"),
        examples=_words("par exemple|exemple"),
        negations=_words("pas|n'est pas|ne|aucune|aucun|jamais|ni"),
        that=_words("que"),
        limits=_words("au moins|au plus|moins de|plus de|entre|maximum"),
        joins=_words("ou|et|à"),
        yes=_words("oui|vrai|vraie"),
        no=_words("non|faux|fausse"),
        none=_words(
            "aucune|aucun|inconnue|inconnu|indéterminée|indéterminé|impossible"
            "|soit|les deux"
        ),
        scales={"mille": 3, "million": 6, "millions": 6, "milliard": 9, "milliards": 9},
        question_heads=_words("question|question suivante|problème|exercice|énoncé"),
        rationale_heads=_words(
            "explication|raisonnement|justification|solution|réflexion"
            "|réponse étape par étape"
        ),
    ),
    Language(
        code="es",
        name="Spanish",
        decimal_comma=True,
        common=_words(
            "el|los|las|una|un|es|que|por|para|con|del|se|y|en|cuál|cuántos|cuántas"
            "|qué|entonces|porque|como|pero|su"
        ),
        answer=_words("respuesta|resultado final|opción correcta"),
        solution=_words("solución"),
        correct=_words(
            "correcta|final|mejor|correcto|adecuada|definitiva|acertada|verdadera"
        ),
        wrong=_words("incorrecta|errónea|falsa"),
        option=_words("opción|alternativa|letra|respuesta|inciso"),
        about=_words("a la pregunta|a esta pregunta|aquí|por lo tanto|al problema"),
        articles=_words("la|mi|nuestra|esta|el"),
        copulas=_words("es|sería|debe ser|es por lo tanto|es entonces|será"),
        is_correct=_words(
            "es correcta|es la correcta|es correcto|es la opción correcta|es la más"
            " adecuada"
        ),
        pick=_words("elijo|escojo|selecciono|elegimos|seleccionamos"),
        so=_words(
            "por lo tanto|por tanto|así que|entonces|así|en conclusión|por ende"
            "|por consiguiente|luego|finalmente"
        ),
        because=_words("porque|ya que|pues|debido a|dado que|puesto que"),
        conditions=_words("si|supongamos|suponiendo|a menos|siempre que|en caso"),
        examples=_words("por ejemplo|ejemplo"),
        negations=_words("no|ninguna|ninguno|nunca|tampoco|ni"),
        that=_words("que"),
        limits=_words("al menos|como máximo|menos de|más de|entre|por lo menos"),
        joins=_words("o|y|u|a|e"),
        yes=_words("sí|si|verdadero|verdadera|cierto"),
        no=_words("no|falso|falsa"),
        none=_words(
            "ninguna|ninguno|desconocida|desconocido|indeterminada|imposible|ambas"
            "|ambos|no se puede|no es posible"
        ),
        scales={"mil": 3, "millón": 6, "millones": 6},
        question_heads=_words("pregunta|siguiente pregunta|problema|ejercicio|usuario"),
        rationale_heads=_words(
            "explicación|razonamiento|justificación|solución|fundamento"
            "|respuesta paso a paso"
        ),
    ),
    Language(
        code="it",
        name="Italian",
        decimal_comma=True,
        common=_words(
            "il|gli|della|di|che|è|una|un|per|con|del|si|quale|quanti|quindi|perché"
            "|sono|nel|non|dei|delle|anche|ma"
        ),
        answer=_words("risposta|risultato finale"),
        solution=_words("soluzione"),
        correct=_words("corretta|finale|giusta|esatta|migliore|corretto|definitiva"),
        wrong=_words("sbagliata|errata|falsa"),
        option=_words("opzione|lettera|alternativa|risposta|scelta"),
        about=_words("alla domanda|a questa domanda|quindi|al problema"),
        articles=_words("la|mia|nostra|questa|il|l'"),
        copulas=_words("è|e'|sarebbe|deve essere|è quindi|è dunque|sarà"),
        is_correct=_words("è corretta|è quella corretta|è giusta|è corretto|è esatta"),
        pick=_words("scelgo|seleziono|scegliamo"),
        so=_words("quindi|pertanto|dunque|perciò|in conclusione|di conseguenza"),
        because=_words("perché|poiché|in quanto|dato che|siccome|giacché"),
        conditions=_words("se|supponiamo|supponendo|a meno che|qualora"),
        examples=_words("ad esempio|per esempio|esempio"),
        negations=_words("non|nessuna|nessuno|mai|né"),
        that=_words("che"),
        limits=_words("almeno|al massimo|meno di|più di|tra|fra"),
        joins=_words("o|e|oppure|a|ed"),
        yes=_words("sì|si|sí|vero|vera"),
        no=_words("no|falso|falsa"),
        none=_words(
            "nessuna|nessuno|sconosciuta|indeterminata|impossibile|entrambe|non è"
        ),
        scales={"mila": 3, "mille": 3, "milione": 6, "milioni": 6, "miliardi": 9},
        question_heads=_words("domanda|domanda successiva|problema|esercizio|utente"),
        rationale_heads=_words(
            "spiegazione|ragionamento|motivazione|soluzione|giustificazione"
        ),
    ),
    Language(
        code="pt",
        name="Portuguese",
        decimal_comma=True,
        common=_words(
            "os|uma|um|é|que|por|para|com|da|não|em|qual|quantos|quantas|então|porque"
            "|são|na|dos|das|mas|ele|ela"
        ),
        answer=_words("resposta|gabarito|resultado final"),
        solution=_words("solução"),
        correct=_words("correta|final|certa|melhor|correto|adequada|definitiva"),
        wrong=_words("errada|incorreta|falsa"),
        option=_words("opção|alternativa|letra|resposta"),
        about=_words("à pergunta|a esta pergunta|portanto|ao problema|para a pergunta"),
        articles=_words("a|minha|nossa|esta|o"),
        copulas=_words("é|seria|deve ser|é portanto|é então|será"),
        is_correct=_words("está correta|é a correta|é correta|está certa|é a certa"),
        pick=_words("escolho|seleciono|escolhemos|marco"),
        so=_words(
            "portanto|logo|assim|então|por isso|em conclusão|dessa forma|sendo assim"
        ),
        because=_words("porque|pois|já que|uma vez que|devido a|visto que"),
        conditions=_words("se|caso|suponha|supondo|a menos que|supondo-se"),
        examples=_words("por exemplo|exemplo"),
        negations=_words("não|nenhuma|nenhum|nunca|nem"),
        that=_words("que"),
        limits=_words("pelo menos|no máximo|menos de|mais de|entre|menos do que"),
        joins=_words("ou|e|a"),
        yes=_words("sim|verdadeiro|verdadeira"),
        no=_words("não|nao|falso|falsa"),
        none=_words(
            "nenhuma|nenhum|desconhecida|indeterminada|impossível|ambas|não é possível"
        ),
        scales={
            "mil": 3,
            "milhão": 6,
            "milhões": 6,
            "bilhão": 9,
            "bilhões": 9,
        },
        question_heads=_words("pergunta|próxima pergunta|questão|problema|usuário"),
        rationale_heads=_words("explicação|raciocínio|justificativa|solução|resolução"),
    ),
    Language(
        code="nl",
        name="Dutch",
        decimal_comma=True,
        common=_words(
            "het|een|van|en|niet|voor|met|dat|op|zijn|welke|hoeveel|dus|omdat|wordt"
            "|heeft|deze|aan|ook|maar|wij"
        ),
        answer=_words("antwoord|eindantwoord|eindresultaat"),
        solution=_words("oplossing"),
        correct=_words("juiste|correcte|goede|beste|uiteindelijke|definitieve"),
        wrong=_words("foute|verkeerde|onjuiste"),
        option=_words("optie|antwoord|keuze|mogelijkheid"),
        about=_words("op de vraag|op deze vraag|hier|dus|daarom"),
        articles=_words("het|de|mijn|ons"),
        copulas=_words("is|luidt|is dus|is daarom|zou zijn|moet zijn|luidt dus|wordt"),
        inverted=True,
        tails=_words("is|luidt"),
        is_correct=_words(
            "juist|correct|is juist|is correct|is het juiste|is goed|klopt"
        ),
        pick=_words("ik kies|wij kiezen|we kiezen|ik kies voor"),
        so=_words("dus|daarom|derhalve|bijgevolg|aldus|concluderend"),
        because=_words("omdat|want|doordat|aangezien|vanwege"),
        conditions=_words("als|indien|tenzij|stel|mits"),
        examples=_words("bijvoorbeeld|voorbeeld"),
        negations=_words("niet|geen|nooit|noch"),
        denials=_words("niet"),
        that=_words("dat"),
        limits=_words("minstens|hoogstens|minder dan|meer dan|tussen|maximaal"),
        joins=_words("of|en|tot"),
        yes=_words("ja|waar|juist|klopt"),
        no=_words("nee|neen|onwaar|onjuist|niet waar"),
        none=_words("geen|onbekend|onduidelijk|onmogelijk|beide|niet te"),
        scales={"duizend": 3, "miljoen": 6, "miljard": 9},
        question_heads=_words("vraag|volgende vraag|opgave|probleem|gebruiker"),
        rationale_heads=_words(
            "uitleg|redenering|verklaring|toelichting|oplossing|onderbouwing"
        ),
    ),
    Language(
        code="pl",
        name="Polish",
        decimal_comma=True,
        common=_words(
            "jest|nie|się|na|że|ile|który|która|które|jaki|jaka|więc|ponieważ|oraz|dla"
            "|przez|jak|są|od|z|w|i"
        ),
        answer=_words("odpowiedź|odpowiedz|odpowiedzią|wynik końcowy"),
        solution=_words("rozwiązanie"),
        correct=_words(
            "poprawna|prawidłowa|ostateczna|właściwa|końcowa|najlepsza|poprawną"
            "|prawidłową|ostateczną|właściwą|najlepszą"
        ),
        wrong=_words("błędna|niepoprawna|nieprawidłowa|fałszywa"),
        option=_words("opcja|odpowiedź|litera|opcją|wariant"),
        about=_words("na pytanie|na to pytanie|więc|zatem"),
        copulas=_words("to|jest|brzmi|to zatem|jest zatem|to więc|będzie|wynosi"),
        bare=True,
        is_answer=_words(
            "jest poprawną odpowiedzią|jest prawidłową odpowiedzią|to poprawna odpowiedź"
            "|to prawidłowa odpowiedź|jest właściwą odpowiedzią"
        ),
        is_correct=_words("jest poprawna|jest prawidłowa|jest właściwa"),
        pick=_words("wybieram|wybieramy|zaznaczam"),
        so=_words("więc|zatem|dlatego|stąd|a więc|tak więc|podsumowując|w rezultacie"),
        because=_words("ponieważ|bo|gdyż|bowiem|z powodu|dlatego że"),
        conditions=_words("jeśli|jeżeli|gdyby|gdy|załóżmy|zakładając|chyba że|o ile"),
        examples=_words("na przykład|przykład"),
        negations=_words("nie|żadna|żaden|nigdy|ani"),
        that=_words("że"),
        limits=_words("co najmniej|co najwyżej|mniej niż|więcej niż|między|ponad"),
        joins=_words("lub|i|albo|oraz|czy|do"),
        yes=_words("tak|prawda|prawdziwe"),
        no=_words("nie|fałsz|nieprawda|fałszywe"),
        none=_words(
            "żadna|żaden|żadne|nieznana|nieznane|nie można|niemożliwe|obie|nie wiadomo"
        ),
        scales={
            "tysiąc": 3,
            "tysiące": 3,
            "tysięcy": 3,
            "tys": 3,
            "milion": 6,
            "miliony": 6,
            "milionów": 6,
            "mln": 6,
            "mld": 9,
        },
        question_heads=_words("pytanie|następne pytanie|zadanie|problem|użytkownik"),
        rationale_heads=_words(
            "wyjaśnienie|uzasadnienie|rozumowanie|rozwiązanie|objaśnienie"
        ),
    ),
    Language(
        code="ru",
        name="Russian",
        decimal_comma=True,
        common=_words("и|в|не|на|что|это|как|по|из|для|или|так|если|то|с|у|к"),
        answer=_words("ответ|ответом|итог"),
        correct=_words(
            "правильный|верный|окончательный|итоговый|финальный|лучший|наилучший"
            "|правильным|верным|окончательным|правильного|верного|подходящий"
        ),
        wrong=_words("неправильный|неверный|ошибочный"),
        option=_words("вариант|ответ|буква|вариантом|пункт|под буквой"),
        about=_words("на вопрос|на этот вопрос|таким образом|ответа|на задачу"),
        copulas=_words(
            "это|является|будет|есть|- это|-|таков|равен|является вариант|является ответ"
        ),
        bare=True,
        is_answer=_words(
            "- правильный ответ|- верный ответ|является правильным ответом"
            "|является верным ответом|- это правильный ответ|- правильный вариант"
            "|является правильным вариантом"
        ),
        is_correct=_words("правильный|верный|верно|является правильным|правильно"),
        pick=_words("выбираю|выбираем|я выбираю|мы выбираем"),
        so=_words(
            "итак|следовательно|таким образом|значит|поэтому|отсюда|в итоге"
            "|в заключение"
        ),
        because=_words("потому что|так как|поскольку|ибо|из-за|благодаря"),
        conditions=_words("если|предположим|допустим|при условии|в случае"),
        examples=_words("например|пример"),
        negations=_words("не|нет|ни|никакой|нельзя|никогда"),
        that=_words("что"),
        limits=_words(
            "не менее|не более|меньше|больше|менее|более|между|свыше|минимум"
        ),
        joins=_words("или|и|либо|до"),
        yes=_words("да|верно|правда|истина"),
        no=_words("нет|неверно|ложь|неправда"),
        none=_words(
            "ни один|ни одна|ни одно|неизвестно|неизвестен|невозможно|нельзя|нет верного"
            "|нет правильного|оба|зависит"
        ),
        scales={
            "тысяча": 3,
            "тысячи": 3,
            "тысяч": 3,
            "тыс": 3,
            "миллион": 6,
            "миллиона": 6,
            "миллионов": 6,
            "млн": 6,
            "млрд": 9,
        },
        question_heads=_words("вопрос|следующий вопрос|задача|задание|пользователь"),
        rationale_heads=_words(
            "объяснение|обоснование|рассуждение|решение|пояснение|пошаговое решение"
        ),
    ),
    Language(
        code="tr",
        name="Turkish",
        decimal_comma=True,
        common=_words(
            "bir|ve|bu|için|ile|olarak|hangi|kaç|hangisi|olan|değil|daha|çünkü|gibi"
            "|kadar|var|sonra|göre|ne|nedir|mi|mı"
        ),
        answer=_words(
            "cevap|yanıt|cevabı|yanıtı|cevabımız|yanıtımız|cevabım|cevapsa|doğru şık"
            "|doğru seçenek|sonuç"
        ),
        correct=_words("doğru|nihai|en iyi|kesin|son|final|sonuç"),
        wrong=_words("yanlış|hatalı"),
        option=_words("seçenek|şık|cevap|harf"),
        about=_words("olarak|böylece"),
        articles=_words("sorunun|bu sorunun|problemin"),
        copulas=_words("şudur|ise|olarak|şöyledir|olacaktır"),
        bare=True,
        tails=_words(
            "dır|dir|dur|dür|tır|tir|tur|tür|şıkkıdır|seçeneğidir|şıkkı|seçeneği"
            "|olmalıdır|olacaktır|olur|olarak bulunur|olarak verilir|olmalı|tane"
        ),
        is_answer=_words(
            "doğru cevaptır|doğru yanıttır|doğru cevap|doğru yanıt|doğru seçenektir"
            "|doğru şıktır|seçeneği doğru cevaptır|şıkkı doğru cevaptır"
        ),
        is_correct=_words(
            "doğrudur|seçeneği doğrudur|şıkkı doğrudur|seçeneği doğru|şıkkı doğru"
        ),
        so=_words(
            "bu nedenle|dolayısıyla|sonuç olarak|bu yüzden|o halde|böylece|öyleyse|yani"
        ),
        because=_words("çünkü|zira|nedeniyle"),
        conditions=_words("eğer|şayet|varsayalım|farz edelim|diyelim ki"),
        examples=_words("örneğin|örnek"),
        negations=_words("değil|değildir|yok|hiçbir|olamaz|olmaz"),
        denials=_words("değil|değildir|olamaz|olmaz"),
        that=_words("ki"),
        limits=_words("en az|en fazla|az|fazla"),
        joins=_words("veya|ve|ya da|ile|yahut"),
        yes=_words("evet|doğru|doğrudur"),
        no=_words("hayır|yanlış|yanlıştır"),
        none=_words(
            "hiçbiri|hiçbir|bilinmiyor|belirsiz|belirlenemez|imkansız|yok|her ikisi"
        ),
        scales={"bin": 3, "milyon": 6, "milyar": 9},
        question_heads=_words("soru|sonraki soru|problem|kullanıcı"),
        rationale_heads=_words("açıklama|gerekçe|çözüm|mantık|düşünce"),
    ),
    Language(
        code="vi",
        name="Vietnamese",
        decimal_comma=True,
        common=_words(
            "là|của|và|có|không|được|một|các|cho|những|trong|với|nào|bao nhiêu|vì|nên"
            "|đã|này|đó|người|số"
        ),
        answer=_words(
            "đáp án|câu trả lời|trả lời|đáp số|kết quả cuối cùng|phương án đúng"
        ),
        correct=_words("đúng|chính xác|cuối cùng|đúng nhất|phù hợp nhất|tốt nhất"),
        wrong=_words("sai"),
        option=_words("phương án|đáp án|lựa chọn|câu|chữ cái|ý"),
        about=_words("cho câu hỏi|cho câu hỏi này|của câu hỏi|của bài toán|ở đây"),
        copulas=_words("là|sẽ là|phải là|chính là|đó là|là phương án|là đáp án"),
        bare=True,
        is_answer=_words(
            "là đáp án đúng|là câu trả lời đúng|là đáp án chính xác|là phương án đúng"
            "|là lựa chọn đúng|là đáp án"
        ),
        is_correct=_words("là đúng|là chính xác|đúng"),
        choose=_words("vậy chọn|do đó chọn|ta chọn|nên chọn"),
        pick=_words("chọn|tôi chọn|em chọn"),
        so=_words("vậy|vì vậy|do đó|vì thế|như vậy|suy ra|tóm lại|nên|cho nên|bởi vậy"),
        because=_words("vì|bởi vì|do|bởi|tại vì"),
        conditions=_words("nếu|giả sử|trừ khi|trong trường hợp"),
        examples=_words("ví dụ"),
        negations=_words("không|chưa|chẳng|không phải"),
        that=_words("rằng|là"),
        limits=_words("ít nhất|nhiều nhất|ít hơn|nhiều hơn|tối đa|tối thiểu"),
        joins=_words("hoặc|và|hay|đến"),
        yes=_words("có|đúng|phải|vâng|đúng vậy"),
        no=_words("không|sai|không đúng|không phải"),
        none=_words(
            "không có|không xác định|không thể|không rõ|chưa biết|cả hai|không đáp án nào"
        ),
        scales={"nghìn": 3, "ngàn": 3, "triệu": 6, "tỷ": 9, "tỉ": 9},
        question_heads=_words("câu hỏi|câu hỏi tiếp theo|bài toán|người dùng|hỏi"),
        rationale_heads=_words("giải thích|lời giải|lập luận|lý do|bài giải"),
    ),
    Language(
        code="zh",
        name="Chinese",
        left_bound=False,
        right_bound=False,
        common=_words("的|是|了|在|有|和|为|這|这|不|个|個|们|們|哪|什么|什麼|所以"),
        answer=_words(
            "答案|回答|答案选项|答案選項|正确选项|正確選項|正确的选项|正確的選項|正解"
            "|最终结果|最終結果"
        ),
        correct=_words(
            "正确|正確|最终|最終|最佳|最后|最後|标准|標準|正确的|正確的|最终的|最終的"
            "|最佳的|最可能的|最合适的|最合適的|合适的|合適的|参考|參考|本题|本題|本题的|本題的|题目|題目|问题的|問題的"
        ),
        wrong=_words("错误的|錯誤的|错误|錯誤|不正确的|不正確的|不正确|不正確|有误的"),
        option=_words("选项|選項|选|選|选择|選擇|第"),
        about=_words("应该|應該|应|應|就|将|將|则|則|便"),
        copulas=_words(
            "是|为|為|选|選|选择|選擇|应为|應為|应选|應選|应该是|應該是|就是|便是|是选项"
            "|是選項|为选项|為選項|等于|等於"
        ),
        tails=_words("选项|選項|项|項|选|選|这个选项|這個選項|的选项|这一项|。"),
        is_answer=_words(
            "是正确答案|是正確答案|为正确答案|為正確答案|是正确的答案|是正確的答案"
            "|是正确选项|是正確選項|是正确的选项|是正確的選項|是最佳答案|是答案|符合题意"
            "|符合題意|为正确选项|是最合适的选项|是最佳选项|是最佳選擇|是最佳选择"
        ),
        is_correct=_words("是正确的|是正確的|是对的|是對的"),
        choose=_words(
            "故选|故選|应该选|應該選|应当选|應當選|应该选择|應該選擇|应选|應選|本题选|本題選|故本题选|故本題選|因此选|因此選|所以选"
            "|所以選|因此选择|因此選擇|所以选择|所以選擇|故选择|故選擇|应选择|應選擇"
            "|故应选|本题应选|本題應選|综上,选|答案选|答案選|故正确答案为"
        ),
        pick=_words("我选|我選|我选择|我選擇|我会选|我會選"),
        so=_words(
            "所以|因此|故|因而|综上所述|綜上所述|综上|綜上|于是|於是|由此可见|那么"
        ),
        because=_words("因为|因為|由于|由於|理由是|原因是"),
        conditions=_words("如果|若|假如|假设|假設|假定|倘若|除非|要是"),
        examples=_words("例如|比如|例|示例"),
        negations=_words("不|不是|没有|沒有|并非|並非|非|未|无法|無法"),
        that=_words("认为|認為|觉得|覺得|确定"),
        limits=_words(
            "至少|最多|不超过|不超過|超过|超過|少于|少於|多于|多於|大于|大於|小于|小於|不到"
        ),
        joins=_words("或|或者|和|与|與|及|以及|到|至|还是|還是"),
        yes=_words(
            "是|是的|对|對|对的|對的|正确|正確|正确的|正確的|肯定|肯定的|可以|会|會|能"
            "|真|成立|有"
        ),
        no=_words(
            "否|不是|不|不对|不對|错|錯|错误|錯誤|错误的|錯誤的|不正确|不正確|否定|否定的"
            "|不可以|不会|不會|不能|假|不成立|没有|沒有|不是的|不行"
        ),
        none=_words(
            "无|無|都不|没有|沒有|以上都不|未知|不确定|不確定|无法|無法|不能确定|不一定"
            "|取决于|取決於|不存在|均不"
        ),
        scales={
            "百": 2,
            "千": 3,
            "万": 4,
            "萬": 4,
            "百万": 6,
            "百萬": 6,
            "千万": 7,
            "千萬": 7,
            "亿": 8,
            "億": 8,
        },
        question_heads=_words("问题|問題|下一题|下一題|题目|題目|用户|用戶|问|問"),
        rationale_heads=_words(
            "解释|解釋|解析|分析|推理|理由|解|解答|思考|解题过程|解題過程|逐步解答|推理过程"
        ),
    ),
    Language(
        code="ja",
        name="Japanese",
        left_bound=False,
        right_bound=False,
        common=_words("は|の|を|に|が|です|ます|した|から|で|と|も|する"),
        answer=_words("答え|答|正解|正答|回答|最終解答|最終回答|正しい選択肢"),
        solution=_words("解答|解"),
        correct=_words("正しい|最終的な|最も適切な|最適な|最終|正しい答えの|最終の"),
        wrong=_words("間違った|誤った|間違っている|誤っている|正しくない|不適切な"),
        option=_words("選択肢|記号|番号"),
        about=_words("としては|として|の記号|の選択肢|の番号"),
        copulas=_words("は|は、|が|は選択肢|は、選択肢"),
        tails=_words(
            "です|でした|となります|になります|である|だ|でしょう|であります|ですね|だと思います"
            "|だと考えられます|と考えられます|と思います|と考えます|となる|になる|でございます"
            "|ということになります|です、|番です|番|の選択肢です|のようです|ですが|なので|ですので"
        ),
        is_answer=_words(
            "が正解です|が正解|が答えです|が答え|が正しい答えです|が正しい選択肢です"
            "|が正解となります|が正解になります|が正答です|が最も適切な答えです|が正しい答え"
            "|が最も適切な選択肢です|を選びます|を選択します|が正解だ|が正解である"
        ),
        is_correct=_words(
            "が正しいです|が正しい|が最も適切です|が適切です|が最も適切である|が最適です"
        ),
        so=_words(
            "したがって|従って|よって|だから|つまり|ゆえに|以上より|以上のことから|そのため"
            "|それゆえ"
        ),
        because=_words("なぜなら|理由は|というのは"),
        conditions=_words("もし|仮に|ならば|場合|とすると|とすれば|であれば"),
        examples=_words("例えば|たとえば"),
        negations=_words(
            "ではない|ではありません|でない|じゃない|ではなく|とは限|はない"
        ),
        denials=_words(
            "ではない|ではありません|でない|じゃない|ではなく|とは限|はない|ではないです"
        ),
        that=_words("と"),
        limits=_words("少なくとも|最大|最低|未満|以上|以下"),
        joins=_words("または|もしくは|か|と|及び|および|や|から"),
        yes=_words("はい|正しい|真|そうです|正解|肯定|可能"),
        no=_words("いいえ|誤り|偽|正しくない|違います|間違い|否定|不可能|いえ|不正解"),
        none=_words(
            "なし|ない|不明|わかりません|分かりません|特定できません|決定できません|どれも"
            "|どちらも|該当なし|ありません"
        ),
        scales={"百": 2, "千": 3, "万": 4, "億": 8, "百万": 6},
        question_heads=_words("質問|問題|次の問題|問|設問|ユーザー|お題"),
        rationale_heads=_words(
            "説明|解説|理由|根拠|推論|考察|思考過程|解き方|途中式|ステップごとの答え"
        ),
    ),
    Language(
        code="ko",
        name="Korean",
        right_bound=False,
        common=_words(
            "은|는|이|가|을|를|에서|입니다|있는|하는|것은|다음|중|무엇|그리고"
        ),
        answer=_words(
            "정답|답|최종 답|최종 정답|해답|최종 답변|최종답|올바른 답|답변|정답 번호"
        ),
        correct=_words("올바른|최종|정확한|가장 적절한|옳은|맞는|따라서"),
        wrong=_words("틀린|잘못된|옳지 않은|올바르지 않은"),
        option=_words("선택지|보기|옵션|번호"),
        about=_words("으로|으로는|의"),
        copulas=_words("은|는|이|가|란|은 보기|은 선택지|은 옵션"),
        tails=_words(
            "입니다|이다|이에요|예요|이며|다|임|이고|번입니다|번이다|번|가 됩니다|이 됩니다"
            "|가 된다|이 된다|이 맞습니다|가 맞습니다|이라고 할 수 있습니다|라고 할 수 있습니다"
            "|로 볼 수 있습니다|일 것입니다|인 것 같습니다|개입니다|입니다만"
        ),
        is_answer=_words(
            "가 정답입니다|이 정답입니다|가 정답이다|이 정답이다|가 정답|이 정답|번이 정답입니다"
            "|가 답입니다|이 답입니다|가 답이다|이 답이다|가 올바른 답입니다|이 올바른 답입니다"
            "|을 선택합니다|를 선택합니다|가 정답이 됩니다|이 정답이 됩니다|번이 정답이다"
            "|가 정답으로|이 정답으로"
        ),
        is_correct=_words(
            "가 맞습니다|이 맞습니다|가 옳습니다|이 옳습니다|가 올바릅니다|이 올바릅니다"
            "|가 가장 적절합니다|이 가장 적절합니다|가 적절합니다|이 적절합니다"
        ),
        so=_words("따라서|그러므로|그래서|즉|결국|결론적으로|고로|그렇기 때문에"),
        because=_words("왜냐하면|이유는"),
        conditions=_words("만약|만일|가정하면|라면|이라면|경우"),
        examples=_words("예를 들어|예시"),
        negations=_words("아닙니다|아니다|아니라|않습니다|않다|아닌"),
        denials=_words("아닙니다|아니다|아니라|않습니다|않다|아닌|아니에요|아님"),
        that=_words("라고"),
        limits=_words("적어도|최소|최대|미만|초과|이상|이하"),
        joins=_words("또는|혹은|이나|나|와|과|및|에서|이거나"),
        yes=_words("예|네|참|맞다|맞습니다|그렇습니다|그렇다|옳다|맞음"),
        no=_words(
            "아니요|아니오|아뇨|거짓|틀리다|틀렸습니다|아닙니다|아니다|그렇지 않습니다"
            "|그렇지 않다|틀림"
        ),
        none=_words("없음|없습니다|없다|알 수 없|불명|모릅니다|모두|둘 다|정할 수 없"),
        scales={"백": 2, "천": 3, "만": 4, "억": 8, "백만": 6},
        question_heads=_words("질문|문제|다음 문제|사용자|물음"),
        rationale_heads=_words("설명|해설|풀이|이유|근거|추론|풀이 과정|단계별 답변"),
    ),
    Language(
        code="ar",
        name="Arabic",
        common=_words("في|من|على|هو|هي|أن|التي|الذي|هذا|هذه|إلى|ما|كم|عن|لا|مع"),
        answer=_words(
            "الإجابة|الجواب|والإجابة|والجواب|فالإجابة|فالجواب|إجابة|جواب|إجابتي"
            "|الناتج النهائي|الاختيار الصحيح|الخيار الصحيح"
        ),
        correct=_words("الصحيحة|الصحيح|النهائية|النهائي|الأفضل|المناسبة|الأنسب|هنا"),
        wrong=_words("قد تكون|قد يكون|ربما|ربما تكون|خاطئة|خطأ"),
        option=_words("الخيار|الاختيار|الحرف|خيار|الإجابة|رقم"),
        about=_words("على السؤال|عن السؤال|على هذا السؤال|للسؤال|لهذا السؤال|إذن"),
        copulas=_words(
            "هي|هو|ستكون|تكون|يكون|سيكون|هي الخيار|هو الخيار|هي:|تساوي|هي الإجابة"
        ),
        bare=True,
        is_answer=_words(
            "هي الإجابة الصحيحة|هو الإجابة الصحيحة|هو الجواب الصحيح|هو الخيار الصحيح"
            "|هي الجواب الصحيح|هي الإجابة|هو الجواب|هو الاختيار الصحيح"
        ),
        is_correct=_words("صحيح|هو الصحيح|هي الصحيحة|صحيحة"),
        pick=_words("أختار|نختار|اخترت|سأختار"),
        so=_words(
            "إذن|لذلك|لذا|وبالتالي|بالتالي|إذا|وعليه|ومن ثم|وهكذا|لهذا|في النهاية"
        ),
        because=_words("لأن|لأنه|لأنها|بسبب|حيث|نظرا|وذلك"),
        conditions=_words("إذا كان|إذا كانت|لو|إن كان|بافتراض|لنفترض|ما لم|في حال"),
        examples=_words("على سبيل المثال|مثلا|مثال"),
        negations=_words("ليس|ليست|لا|غير|لم|لن|وليس"),
        that=_words("أن|بأن"),
        limits=_words("على الأقل|على الأكثر|أقل من|أكثر من|بين"),
        joins=_words("أو|و|إلى|أم"),
        yes=_words("نعم|صحيح|صح|أجل|بلى|صحيحة"),
        no=_words("لا|خطأ|كلا|غير صحيح|خاطئ|خاطئة|غير صحيحة"),
        none=_words(
            "لا شيء|غير معروف|غير معروفة|غير محدد|لا يوجد|لا توجد|لا يمكن|كلاهما|جميع"
        ),
        scales={"ألف": 3, "آلاف": 3, "مليون": 6, "ملايين": 6, "مليار": 9},
        question_heads=_words("السؤال|سؤال|السؤال التالي|المسألة|المستخدم"),
        rationale_heads=_words("الشرح|التفسير|التعليل|الحل|السبب|التبرير|الخطوات"),
    ),
    Language(
        code="hi",
        name="Hindi",
        common=_words("है|के|में|की|का|और|से|को|यह|हैं|कितने|क्या|पर|तो|एक|नहीं|कौन"),
        answer=_words("उत्तर|जवाब|अंतिम उत्तर|सही विकल्प|उत्तर विकल्प|परिणाम"),
        correct=_words("सही|अंतिम|सर्वोत्तम|उचित|सटीक|सबसे अच्छा|अतः"),
        wrong=_words("गलत|ग़लत"),
        option=_words("विकल्प|अक्षर|उत्तर"),
        about=_words("इस प्रश्न का|यहाँ|प्रश्न का|इसलिए"),
        articles=_words("इस प्रश्न का|प्रश्न का|इसका|मेरा|हमारा|सवाल का"),
        copulas=_words("है|होगा|होगी|हैं|यह है|है कि|विकल्प|होना चाहिए"),
        bare=True,
        tails=_words("है|हैं|होगा|होगी|होंगे|था|थे|होना चाहिए|विकल्प है|है जी|हुआ"),
        is_answer=_words(
            "सही उत्तर है|सही जवाब है|सही विकल्प है|उत्तर है|सही उत्तर होगा|ही सही उत्तर है"
        ),
        is_correct=_words("सही है|सबसे उपयुक्त है|उचित है"),
        so=_words("इसलिए|अतः|इस प्रकार|तो|इसीलिए|फलस्वरूप|अत:|निष्कर्षतः"),
        because=_words("क्योंकि|चूंकि|चूँकि|कारण"),
        conditions=_words("यदि|अगर|मान लीजिए|मान लें|बशर्ते"),
        examples=_words("उदाहरण के लिए|उदाहरण|जैसे"),
        negations=_words("नहीं|न|मत|ना"),
        denials=_words("नहीं"),
        that=_words("कि"),
        limits=_words("कम से कम|अधिक से अधिक|से कम|से अधिक"),
        joins=_words("या|और|अथवा|से|व"),
        yes=_words("हाँ|हां|सही|सत्य|जी हाँ|जी हां|सच"),
        no=_words("नहीं|गलत|असत्य|जी नहीं|ग़लत|झूठ|ना"),
        none=_words(
            "कोई नहीं|इनमें से कोई नहीं|अज्ञात|ज्ञात नहीं|असंभव|कोई भी नहीं|दोनों|अनिश्चित"
        ),
        scales={
            "सौ": 2,
            "हज़ार": 3,
            "हजार": 3,
            "लाख": 5,
            "करोड़": 7,
            "मिलियन": 6,
        },
        question_heads=_words("प्रश्न|अगला प्रश्न|सवाल|समस्या|उपयोगकर्ता"),
        rationale_heads=_words("व्याख्या|स्पष्टीकरण|तर्क|समाधान|हल|कारण"),
    ),
    Language(
        code="bn",
        name="Bengali",
        common=_words("এবং|এই|একটি|থেকে|জন্য|করে|হয়|কত|কি|তার|যে|না|আছে|কোনটি|ও"),
        answer=_words("উত্তর|উত্তরটি|জবাব|চূড়ান্ত উত্তর|সঠিক বিকল্প|উত্তরটা|ফলাফল"),
        correct=_words("সঠিক|চূড়ান্ত|সর্বোত্তম|শুদ্ধ|উপযুক্ত|অতএব"),
        wrong=_words("ভুল"),
        option=_words("বিকল্প|অপশন|উত্তর|অক্ষর"),
        about=_words("এই প্রশ্নের|এখানে|প্রশ্নের"),
        articles=_words("এই প্রশ্নের|প্রশ্নের|আমার|সমস্যার"),
        copulas=_words("হল|হলো|হচ্ছে|হবে|হ'ল|টি হল|টি হলো|হয়|হল বিকল্প|হলো বিকল্প"),
        bare=True,
        tails=_words("টি|টা|হবে|হয়|জন|হল|হলো|টাকা|ই"),
        is_answer=_words(
            "সঠিক উত্তর|হল সঠিক উত্তর|হলো সঠিক উত্তর|ই সঠিক উত্তর|হবে সঠিক উত্তর"
            "|সঠিক উত্তর হবে"
        ),
        is_correct=_words("সঠিক|হল সঠিক|হলো সঠিক|ই সঠিক"),
        so=_words("সুতরাং|অতএব|তাই|কাজেই|এইভাবে|ফলে"),
        because=_words("কারণ|যেহেতু|কেননা"),
        conditions=_words("যদি|ধরা যাক|ধরি|মনে করি"),
        examples=_words("উদাহরণস্বরূপ|উদাহরণ|যেমন"),
        negations=_words("নয়|না|নেই|নহে"),
        denials=_words("নয়|না|নেই|নহে"),
        that=_words("যে"),
        limits=_words("কমপক্ষে|সর্বোচ্চ|এর কম|এর বেশি"),
        joins=_words("বা|অথবা|এবং|ও|থেকে"),
        yes=_words("হ্যাঁ|হাঁ|সত্য|সঠিক|জি|হ্যা"),
        no=_words("না|মিথ্যা|ভুল|নয়|জি না"),
        none=_words("কোনোটিই নয়|কোনটিই নয়|কোনোটি নয়|অজানা|জানা নেই|উভয়|অসম্ভব|অনিশ্চিত"),
        scales={"শত": 2, "হাজার": 3, "লাখ": 5, "লক্ষ": 5, "কোটি": 7, "মিলিয়ন": 6},
        question_heads=_words("প্রশ্ন|পরবর্তী প্রশ্ন|সমস্যা|ব্যবহারকারী"),
        rationale_heads=_words("ব্যাখ্যা|যুক্তি|সমাধান|কারণ|ধাপে ধাপে উত্তর"),
    ),
    Language(
        code="id",
        name="Indonesian",
        decimal_comma=True,
        common=_words(
            "yang|dan|untuk|dengan|adalah|ini|itu|dari|berapa|karena|tidak|akan|pada"
            "|dalam|manakah|apakah|oleh|jadi|sebuah"
        ),
        answer=_words("jawaban|jawabannya|jawaban akhir|jawaban akhirnya|hasil akhir"),
        correct=_words(
            "yang benar|benar|yang tepat|tepat|akhir|terbaik|yang paling tepat|yang sesuai"
        ),
        wrong=_words("yang salah|salah"),
        option=_words("pilihan|opsi|huruf|jawaban"),
        about=_words("untuk pertanyaan ini|untuk soal ini|dari soal ini|di sini"),
        copulas=_words("adalah|ialah|yaitu|adalah pilihan|seharusnya"),
        is_correct=_words("adalah benar|benar"),
        pick=_words("saya memilih|kita memilih|saya pilih"),
        so=_words("jadi|oleh karena itu|maka|dengan demikian|sehingga|kesimpulannya"),
        because=_words("karena|sebab|disebabkan"),
        conditions=_words("jika|kalau|apabila|seandainya|misalkan|kecuali"),
        examples=_words("misalnya|contoh|contohnya"),
        negations=_words("tidak|bukan|bukanlah|tak"),
        that=_words("bahwa|kalau"),
        limits=_words("setidaknya|paling sedikit|paling banyak|kurang dari|lebih dari"),
        joins=_words("atau|dan|sampai|hingga"),
        yes=_words("ya|benar|betul"),
        no=_words("tidak|salah|bukan"),
        none=_words(
            "tidak ada|tidak diketahui|tidak dapat|keduanya|tidak mungkin|semua"
        ),
        scales={"ribu": 3, "juta": 6, "miliar": 9},
        question_heads=_words("pertanyaan|pertanyaan berikutnya|soal|pengguna"),
        rationale_heads=_words("penjelasan|alasan|pembahasan|penyelesaian|solusi"),
    ),
    Language(
        code="sw",
        name="Swahili",
        common=_words(
            "ya|wa|kwa|na|ni|za|katika|ana|idadi|kila|hii|hivyo|kiasi|gani|ngapi|yake"
            "|lakini|baada|kama|cha"
        ),
        answer=_words("jibu|jibu la mwisho|majibu"),
        correct=_words("sahihi|la mwisho|bora|lililo sahihi"),
        wrong=_words("si sahihi|baya"),
        option=_words("chaguo|herufi"),
        about=_words("la swali|kwa swali hili"),
        copulas=_words("ni|litakuwa|lingekuwa|ni chaguo"),
        is_correct=_words("ni sahihi"),
        so=_words("kwa hivyo|hivyo|kwa hiyo|basi|kwahiyo|hatimaye"),
        because=_words("kwa sababu|kwani|maana"),
        conditions=_words("kama|ikiwa|iwapo|endapo|tuseme"),
        examples=_words("kwa mfano|mfano"),
        negations=_words("si|sio|siyo|hapana"),
        that=_words("kwamba|kuwa"),
        limits=_words("angalau|chini ya|zaidi ya|kati ya"),
        joins=_words("au|na|hadi|ama"),
        yes=_words("ndiyo|ndio|kweli"),
        no=_words("hapana|la|si kweli|uongo"),
        none=_words("hakuna|haijulikani|haiwezekani|zote mbili"),
        question_heads=_words("swali|swali linalofuata|tatizo"),
        rationale_heads=_words("maelezo|sababu|suluhisho|jibu la hatua kwa hatua"),
    ),
    Language(
        code="te",
        name="Telugu",
        common=_words("మరియు|ఒక|ఈ|అతను|ఆమె|ఎన్ని|ఎంత|కాబట్టి|లో|అని|ఉంది|ఉన్నాయి|మొత్తం"),
        answer=_words("జవాబు|సమాధానం|తుది సమాధానం|సరైన సమాధానం"),
        correct=_words("సరైన|తుది|ఉత్తమ"),
        wrong=_words("తప్పు"),
        option=_words("ఎంపిక|ఆప్షన్"),
        copulas=_words("అనేది|ఏమిటంటే"),
        bare=True,
        tails=_words("అవుతుంది|అవుతాయి|ఉంటుంది"),
        so=_words("కాబట్టి|అందువల్ల|అందుకే|కనుక"),
        because=_words("ఎందుకంటే"),
        conditions=_words("ఒకవేళ|అయితే"),
        examples=_words("ఉదాహరణకు|ఉదాహరణ"),
        negations=_words("కాదు|లేదు"),
        denials=_words("కాదు|లేదు"),
        that=_words("అని"),
        limits=_words("కనీసం|కంటే తక్కువ|కంటే ఎక్కువ"),
        joins=_words("లేదా|మరియు|నుండి"),
        yes=_words("అవును|నిజం"),
        no=_words("కాదు|లేదు|తప్పు|అబద్ధం"),
        none=_words("ఏదీ కాదు|తెలియదు|రెండూ"),
        scales={"వేల": 3, "లక్షల": 5, "కోట్ల": 7},
        question_heads=_words("ప్రశ్న|తదుపరి ప్రశ్న|సమస్య"),
        rationale_heads=_words("వివరణ|పరిష్కారం|కారణం"),
    ),
    Language(
        code="th",
        name="Thai",
        left_bound=False,
        right_bound=False,
        common=_words("ที่|และ|ใน|ของ|เป็น|จะ|ได้|มี|ให้|ดังนั้น|คือ|กี่|เท่าไหร่"),
        answer=_words("คำตอบ|คำตอบสุดท้าย|เฉลย"),
        correct=_words("ที่ถูกต้อง|สุดท้าย|ที่ดีที่สุด|ถูกต้อง|ของคำถามนี้"),
        wrong=_words("ที่ผิด|ที่ไม่ถูกต้อง"),
        option=_words("ตัวเลือก|ข้อ"),
        about=_words("ของโจทย์นี้|ก็"),
        copulas=_words("คือ|เป็น|คือข้อ|คือตัวเลือก|เท่ากับ|จะเป็น"),
        tails=_words("ครับ|ค่ะ|นั่นเอง"),
        is_answer=_words("เป็นคำตอบที่ถูกต้อง|คือคำตอบที่ถูกต้อง|เป็นคำตอบ"),
        choose=_words("ตอบข้อ|จึงตอบข้อ|เลือกข้อ"),
        so=_words("ดังนั้น|เพราะฉะนั้น|จึง|สรุปแล้ว|สรุปว่า"),
        because=_words("เพราะ|เนื่องจาก"),
        conditions=_words("ถ้า|หาก|สมมติ"),
        examples=_words("ตัวอย่างเช่น|เช่น|ตัวอย่าง"),
        negations=_words("ไม่ใช่|ไม่"),
        that=_words("ว่า"),
        limits=_words("อย่างน้อย|มากที่สุด|น้อยกว่า|มากกว่า|ไม่เกิน"),
        joins=_words("หรือ|และ|ถึง"),
        yes=_words("ใช่|จริง|ถูกต้อง|ถูก"),
        no=_words("ไม่ใช่|ไม่จริง|เท็จ|ผิด|ไม่"),
        none=_words("ไม่มี|ไม่ทราบ|ไม่สามารถ|ทั้งสอง"),
        scales={"ร้อย": 2, "พัน": 3, "หมื่น": 4, "แสน": 5, "ล้าน": 6},
        question_heads=_words("คำถาม|คำถามถัดไป|โจทย์|ปัญหา"),
        rationale_heads=_words("คำอธิบาย|วิธีทำ|เหตุผล|อธิบาย|คำตอบทีละขั้นตอน"),
    ),
)
