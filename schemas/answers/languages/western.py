"""Words of the languages of western Europe."""

from cotbuild.schemas.answers.languages.language import Language, words

WESTERN = (
    Language(
        code="de",
        name="German",
        decimal_comma=True,
        common=words(
            "der|und|ist|nicht|das|ein|eine|mit|für|auf|den|wie|wird|sind|sich|welche"
            "|welcher|oder|wir|auch|aber|weil"
        ),
        answer=words(
            "antwort|endergebnis|ergebnis|endantwort|antwortmöglichkeit"
            "|antwortoption|schlussantwort"
        ),
        solution=words("lösung"),
        correct=words(
            "richtige|korrekte|endgültige|beste|finale|gesuchte|passende|zutreffende"
            "|richtiges|korrekte"
        ),
        wrong=words("falsche|falschen|inkorrekte|unzutreffende"),
        option=words("option|antwort|antwortmöglichkeit|möglichkeit|buchstabe"),
        about=words("auf die frage|auf diese frage|hier|also|daher|somit"),
        articles=words("die|das|meine|unsere|eine"),
        copulas=words(
            "ist|lautet|wäre|ist also|ist daher|ist somit|lautet also|lautet daher"
            "|lautet somit|muss sein|beträgt"
        ),
        inverted=True,
        tails=words("ist|lautet"),
        is_correct=words(
            "richtig|korrekt|zutreffend|ist richtig|ist korrekt|ist zutreffend|stimmt|trifft zu"
        ),
        pick=words("ich wähle|wir wählen|ich entscheide mich für"),
        so=words(
            "also|daher|deshalb|somit|folglich|demnach|daraus folgt|damit|insgesamt"
        ),
        because=words("weil|denn|da|aufgrund|wegen"),
        conditions=words("wenn|falls|sofern|angenommen|es sei denn|vorausgesetzt"),
        examples=words("zum beispiel|beispielsweise|z.b.|beispiel"),
        negations=words("nicht|kein|keine|keinesfalls|weder|niemals"),
        denials=words("nicht"),
        that=words("dass|daß|ob"),
        limits=words(
            "mindestens|höchstens|weniger als|mehr als|maximal|unter|über|zwischen"
        ),
        joins=words("oder|und|bis|bzw."),
        yes=words("ja|wahr|richtig|stimmt"),
        no=words("nein|falsch|unwahr"),
        none=words(
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
        question_heads=words("frage|nächste frage|aufgabe|problem|benutzer|nutzer"),
        rationale_heads=words(
            "begründung|erklärung|lösung|lösungsweg|rechnung|überlegung"
            "|schritt-für-schritt-antwort"
        ),
    ),
    Language(
        code="nl",
        name="Dutch",
        decimal_comma=True,
        common=words(
            "het|een|van|en|niet|voor|met|dat|op|zijn|welke|hoeveel|dus|omdat|wordt"
            "|heeft|deze|aan|ook|maar|wij"
        ),
        answer=words("antwoord|eindantwoord|eindresultaat"),
        solution=words("oplossing"),
        correct=words("juiste|correcte|goede|beste|uiteindelijke|definitieve"),
        wrong=words("foute|verkeerde|onjuiste"),
        option=words("optie|antwoord|keuze|mogelijkheid"),
        about=words("op de vraag|op deze vraag|hier|dus|daarom"),
        articles=words("het|de|mijn|ons"),
        copulas=words("is|luidt|is dus|is daarom|zou zijn|moet zijn|luidt dus|wordt"),
        inverted=True,
        tails=words("is|luidt"),
        is_correct=words(
            "juist|correct|is juist|is correct|is het juiste|is goed|klopt"
        ),
        pick=words("ik kies|wij kiezen|we kiezen|ik kies voor"),
        so=words("dus|daarom|derhalve|bijgevolg|aldus|concluderend"),
        because=words("omdat|want|doordat|aangezien|vanwege"),
        conditions=words("als|indien|tenzij|stel|mits"),
        examples=words("bijvoorbeeld|voorbeeld"),
        negations=words("niet|geen|nooit|noch"),
        denials=words("niet"),
        that=words("dat"),
        limits=words("minstens|hoogstens|minder dan|meer dan|tussen|maximaal"),
        joins=words("of|en|tot"),
        yes=words("ja|waar|juist|klopt"),
        no=words("nee|neen|onwaar|onjuist|niet waar"),
        none=words("geen|onbekend|onduidelijk|onmogelijk|beide|niet te"),
        scales={"duizend": 3, "miljoen": 6, "miljard": 9},
        question_heads=words("vraag|volgende vraag|opgave|probleem|gebruiker"),
        rationale_heads=words(
            "uitleg|redenering|verklaring|toelichting|oplossing|onderbouwing"
        ),
    ),
    Language(
        code="fr",
        name="French",
        decimal_comma=True,
        common=words(
            "le|la|les|des|est|une|du|et|dans|pour|qui|que|sur|avec|quelle|quel|donc"
            "|sont|il|elle|nous|car|au|pas|mais"
        ),
        answer=words("réponse|reponse|résultat final"),
        correct=words(
            "correcte|exacte|finale|bonne|juste|correct|appropriée|définitive|meilleure"
            "|attendue"
        ),
        wrong=words("mauvaise|incorrecte|fausse"),
        option=words("option|réponse|choix|lettre|proposition"),
        about=words("à la question|à cette question|ici|donc|au problème"),
        articles=words("la|ma|notre|cette|l'"),
        copulas=words("est|est donc|serait|doit être|est alors|sera|est bien"),
        is_correct=words(
            "est correcte|est correct|est la bonne|est juste|est exacte|est la plus"
            " appropriée"
        ),
        pick=words("je choisis|nous choisissons|je sélectionne"),
        so=words("donc|ainsi|par conséquent|alors|en conclusion|au final|finalement"),
        because=words("parce que|parce qu'|car|puisque|en raison|étant donné"),
        conditions=words("si|s'il|supposons|à moins|en supposant|à condition"),
        examples=words("par exemple|exemple"),
        negations=words("pas|n'est pas|ne|aucune|aucun|jamais|ni"),
        that=words("que"),
        limits=words("au moins|au plus|moins de|plus de|entre|maximum"),
        joins=words("ou|et|à"),
        yes=words("oui|vrai|vraie"),
        no=words("non|faux|fausse"),
        none=words(
            "aucune|aucun|inconnue|inconnu|indéterminée|indéterminé|impossible"
            "|soit|les deux"
        ),
        scales={"mille": 3, "million": 6, "millions": 6, "milliard": 9, "milliards": 9},
        question_heads=words("question|question suivante|problème|exercice|énoncé"),
        rationale_heads=words(
            "explication|raisonnement|justification|solution|réflexion"
            "|réponse étape par étape"
        ),
    ),
    Language(
        code="es",
        name="Spanish",
        decimal_comma=True,
        common=words(
            "el|los|las|una|un|es|que|por|para|con|del|se|y|en|cuál|cuántos|cuántas"
            "|qué|entonces|porque|como|pero|su"
        ),
        answer=words("respuesta|resultado final|opción correcta"),
        solution=words("solución"),
        correct=words(
            "correcta|final|mejor|correcto|adecuada|definitiva|acertada|verdadera"
        ),
        wrong=words("incorrecta|errónea|falsa"),
        option=words("opción|alternativa|letra|respuesta|inciso"),
        about=words("a la pregunta|a esta pregunta|aquí|por lo tanto|al problema"),
        articles=words("la|mi|nuestra|esta|el"),
        copulas=words("es|sería|debe ser|es por lo tanto|es entonces|será"),
        is_correct=words(
            "es correcta|es la correcta|es correcto|es la opción correcta|es la más"
            " adecuada"
        ),
        pick=words("elijo|escojo|selecciono|elegimos|seleccionamos"),
        so=words(
            "por lo tanto|por tanto|así que|entonces|así|en conclusión|por ende"
            "|por consiguiente|luego|finalmente"
        ),
        because=words("porque|ya que|pues|debido a|dado que|puesto que"),
        conditions=words("si|supongamos|suponiendo|a menos|siempre que|en caso"),
        examples=words("por ejemplo|ejemplo"),
        negations=words("no|ninguna|ninguno|nunca|tampoco|ni"),
        that=words("que"),
        limits=words("al menos|como máximo|menos de|más de|entre|por lo menos"),
        joins=words("o|y|u|a|e"),
        yes=words("sí|si|verdadero|verdadera|cierto"),
        no=words("no|falso|falsa"),
        none=words(
            "ninguna|ninguno|desconocida|desconocido|indeterminada|imposible|ambas"
            "|ambos|no se puede|no es posible"
        ),
        scales={"mil": 3, "millón": 6, "millones": 6},
        question_heads=words("pregunta|siguiente pregunta|problema|ejercicio|usuario"),
        rationale_heads=words(
            "explicación|razonamiento|justificación|solución|fundamento"
            "|respuesta paso a paso"
        ),
    ),
    Language(
        code="it",
        name="Italian",
        decimal_comma=True,
        common=words(
            "il|gli|della|di|che|è|una|un|per|con|del|si|quale|quanti|quindi|perché"
            "|sono|nel|non|dei|delle|anche|ma"
        ),
        answer=words("risposta|risultato finale"),
        solution=words("soluzione"),
        correct=words("corretta|finale|giusta|esatta|migliore|corretto|definitiva"),
        wrong=words("sbagliata|errata|falsa"),
        option=words("opzione|lettera|alternativa|risposta|scelta"),
        about=words("alla domanda|a questa domanda|quindi|al problema"),
        articles=words("la|mia|nostra|questa|il|l'"),
        copulas=words("è|e'|sarebbe|deve essere|è quindi|è dunque|sarà"),
        is_correct=words("è corretta|è quella corretta|è giusta|è corretto|è esatta"),
        pick=words("scelgo|seleziono|scegliamo"),
        so=words("quindi|pertanto|dunque|perciò|in conclusione|di conseguenza"),
        because=words("perché|poiché|in quanto|dato che|siccome|giacché"),
        conditions=words("se|supponiamo|supponendo|a meno che|qualora"),
        examples=words("ad esempio|per esempio|esempio"),
        negations=words("non|nessuna|nessuno|mai|né"),
        that=words("che"),
        limits=words("almeno|al massimo|meno di|più di|tra|fra"),
        joins=words("o|e|oppure|a|ed"),
        yes=words("sì|si|sí|vero|vera"),
        no=words("no|falso|falsa"),
        none=words(
            "nessuna|nessuno|sconosciuta|indeterminata|impossibile|entrambe|non è"
        ),
        scales={"mila": 3, "mille": 3, "milione": 6, "milioni": 6, "miliardi": 9},
        question_heads=words("domanda|domanda successiva|problema|esercizio|utente"),
        rationale_heads=words(
            "spiegazione|ragionamento|motivazione|soluzione|giustificazione"
        ),
    ),
    Language(
        code="pt",
        name="Portuguese",
        decimal_comma=True,
        common=words(
            "os|uma|um|é|que|por|para|com|da|não|em|qual|quantos|quantas|então|porque"
            "|são|na|dos|das|mas|ele|ela"
        ),
        answer=words("resposta|gabarito|resultado final"),
        solution=words("solução"),
        correct=words("correta|final|certa|melhor|correto|adequada|definitiva"),
        wrong=words("errada|incorreta|falsa"),
        option=words("opção|alternativa|letra|resposta"),
        about=words("à pergunta|a esta pergunta|portanto|ao problema|para a pergunta"),
        articles=words("a|minha|nossa|esta|o"),
        copulas=words("é|seria|deve ser|é portanto|é então|será"),
        is_correct=words("está correta|é a correta|é correta|está certa|é a certa"),
        pick=words("escolho|seleciono|escolhemos|marco"),
        so=words(
            "portanto|logo|assim|então|por isso|em conclusão|dessa forma|sendo assim"
        ),
        because=words("porque|pois|já que|uma vez que|devido a|visto que"),
        conditions=words("se|caso|suponha|supondo|a menos que|supondo-se"),
        examples=words("por exemplo|exemplo"),
        negations=words("não|nenhuma|nenhum|nunca|nem"),
        that=words("que"),
        limits=words("pelo menos|no máximo|menos de|mais de|entre|menos do que"),
        joins=words("ou|e|a"),
        yes=words("sim|verdadeiro|verdadeira"),
        no=words("não|nao|falso|falsa"),
        none=words(
            "nenhuma|nenhum|desconhecida|indeterminada|impossível|ambas|não é possível"
        ),
        scales={
            "mil": 3,
            "milhão": 6,
            "milhões": 6,
            "bilhão": 9,
            "bilhões": 9,
        },
        question_heads=words("pergunta|próxima pergunta|questão|problema|usuário"),
        rationale_heads=words("explicação|raciocínio|justificativa|solução|resolução"),
    ),
)
