"""Words of Polish, Russian, Turkish and Arabic."""

from cotbuild.schemas.answers.languages.language import Language, words

EASTERN = (
    Language(
        code="pl",
        name="Polish",
        decimal_comma=True,
        common=words(
            "jest|nie|się|na|że|ile|który|która|które|jaki|jaka|więc|ponieważ|oraz|dla"
            "|przez|jak|są|od|z|w|i"
        ),
        answer=words("odpowiedź|odpowiedz|odpowiedzią|wynik końcowy"),
        solution=words("rozwiązanie"),
        correct=words(
            "poprawna|prawidłowa|ostateczna|właściwa|końcowa|najlepsza|poprawną"
            "|prawidłową|ostateczną|właściwą|najlepszą"
        ),
        wrong=words("błędna|niepoprawna|nieprawidłowa|fałszywa"),
        option=words("opcja|odpowiedź|litera|opcją|wariant"),
        about=words("na pytanie|na to pytanie|więc|zatem"),
        copulas=words("to|jest|brzmi|to zatem|jest zatem|to więc|będzie|wynosi"),
        bare=True,
        is_answer=words(
            "jest poprawną odpowiedzią|jest prawidłową odpowiedzią|to poprawna odpowiedź"
            "|to prawidłowa odpowiedź|jest właściwą odpowiedzią"
        ),
        is_correct=words("jest poprawna|jest prawidłowa|jest właściwa"),
        pick=words("wybieram|wybieramy|zaznaczam"),
        so=words("więc|zatem|dlatego|stąd|a więc|tak więc|podsumowując|w rezultacie"),
        because=words("ponieważ|bo|gdyż|bowiem|z powodu|dlatego że"),
        conditions=words("jeśli|jeżeli|gdyby|gdy|załóżmy|zakładając|chyba że|o ile"),
        examples=words("na przykład|przykład"),
        negations=words("nie|żadna|żaden|nigdy|ani"),
        that=words("że"),
        limits=words("co najmniej|co najwyżej|mniej niż|więcej niż|między|ponad"),
        joins=words("lub|i|albo|oraz|czy|do"),
        yes=words("tak|prawda|prawdziwe"),
        no=words("nie|fałsz|nieprawda|fałszywe"),
        none=words(
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
        question_heads=words("pytanie|następne pytanie|zadanie|problem|użytkownik"),
        rationale_heads=words(
            "wyjaśnienie|uzasadnienie|rozumowanie|rozwiązanie|objaśnienie"
        ),
    ),
    Language(
        code="ru",
        name="Russian",
        decimal_comma=True,
        common=words("и|в|не|на|что|это|как|по|из|для|или|так|если|то|с|у|к"),
        answer=words("ответ|ответом|итог"),
        correct=words(
            "правильный|верный|окончательный|итоговый|финальный|лучший|наилучший"
            "|правильным|верным|окончательным|правильного|верного|подходящий"
        ),
        wrong=words("неправильный|неверный|ошибочный"),
        option=words("вариант|ответ|буква|вариантом|пункт|под буквой"),
        about=words("на вопрос|на этот вопрос|таким образом|ответа|на задачу"),
        copulas=words(
            "это|является|будет|есть|- это|-|таков|равен|является вариант|является ответ"
        ),
        bare=True,
        is_answer=words(
            "- правильный ответ|- верный ответ|является правильным ответом"
            "|является верным ответом|- это правильный ответ|- правильный вариант"
            "|является правильным вариантом"
        ),
        is_correct=words("правильный|верный|верно|является правильным|правильно"),
        pick=words("выбираю|выбираем|я выбираю|мы выбираем"),
        so=words(
            "итак|следовательно|таким образом|значит|поэтому|отсюда|в итоге"
            "|в заключение"
        ),
        because=words("потому что|так как|поскольку|ибо|из-за|благодаря"),
        conditions=words("если|предположим|допустим|при условии|в случае"),
        examples=words("например|пример"),
        negations=words("не|нет|ни|никакой|нельзя|никогда"),
        that=words("что"),
        limits=words("не менее|не более|меньше|больше|менее|более|между|свыше|минимум"),
        joins=words("или|и|либо|до"),
        yes=words("да|верно|правда|истина"),
        no=words("нет|неверно|ложь|неправда"),
        none=words(
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
        question_heads=words("вопрос|следующий вопрос|задача|задание|пользователь"),
        rationale_heads=words(
            "объяснение|обоснование|рассуждение|решение|пояснение|пошаговое решение"
        ),
    ),
    Language(
        code="tr",
        name="Turkish",
        decimal_comma=True,
        common=words(
            "bir|ve|bu|için|ile|olarak|hangi|kaç|hangisi|olan|değil|daha|çünkü|gibi"
            "|kadar|var|sonra|göre|ne|nedir|mi|mı"
        ),
        answer=words(
            "cevap|yanıt|cevabı|yanıtı|cevabımız|yanıtımız|cevabım|cevapsa|doğru şık"
            "|doğru seçenek|sonuç"
        ),
        correct=words("doğru|nihai|en iyi|kesin|son|final|sonuç"),
        wrong=words("yanlış|hatalı"),
        option=words("seçenek|şık|cevap|harf"),
        about=words("olarak|böylece"),
        articles=words("sorunun|bu sorunun|problemin"),
        copulas=words("şudur|ise|olarak|şöyledir|olacaktır"),
        bare=True,
        tails=words(
            "dır|dir|dur|dür|tır|tir|tur|tür|şıkkıdır|seçeneğidir|şıkkı|seçeneği"
            "|olmalıdır|olacaktır|olur|olarak bulunur|olarak verilir|olmalı|tane"
        ),
        is_answer=words(
            "doğru cevaptır|doğru yanıttır|doğru cevap|doğru yanıt|doğru seçenektir"
            "|doğru şıktır|seçeneği doğru cevaptır|şıkkı doğru cevaptır"
        ),
        is_correct=words(
            "doğrudur|seçeneği doğrudur|şıkkı doğrudur|seçeneği doğru|şıkkı doğru"
        ),
        so=words(
            "bu nedenle|dolayısıyla|sonuç olarak|bu yüzden|o halde|böylece|öyleyse|yani"
        ),
        because=words("çünkü|zira|nedeniyle"),
        conditions=words("eğer|şayet|varsayalım|farz edelim|diyelim ki"),
        examples=words("örneğin|örnek"),
        negations=words("değil|değildir|yok|hiçbir|olamaz|olmaz"),
        denials=words("değil|değildir|olamaz|olmaz"),
        that=words("ki"),
        limits=words("en az|en fazla|az|fazla"),
        joins=words("veya|ve|ya da|ile|yahut"),
        yes=words("evet|doğru|doğrudur"),
        no=words("hayır|yanlış|yanlıştır"),
        none=words(
            "hiçbiri|hiçbir|bilinmiyor|belirsiz|belirlenemez|imkansız|yok|her ikisi"
        ),
        scales={"bin": 3, "milyon": 6, "milyar": 9},
        question_heads=words("soru|sonraki soru|problem|kullanıcı"),
        rationale_heads=words("açıklama|gerekçe|çözüm|mantık|düşünce"),
    ),
    Language(
        code="ar",
        name="Arabic",
        common=words("في|من|على|هو|هي|أن|التي|الذي|هذا|هذه|إلى|ما|كم|عن|لا|مع"),
        answer=words(
            "الإجابة|الجواب|والإجابة|والجواب|فالإجابة|فالجواب|إجابة|جواب|إجابتي"
            "|الناتج النهائي|الاختيار الصحيح|الخيار الصحيح"
        ),
        correct=words("الصحيحة|الصحيح|النهائية|النهائي|الأفضل|المناسبة|الأنسب|هنا"),
        wrong=words("قد تكون|قد يكون|ربما|ربما تكون|خاطئة|خطأ"),
        option=words("الخيار|الاختيار|الحرف|خيار|الإجابة|رقم"),
        about=words("على السؤال|عن السؤال|على هذا السؤال|للسؤال|لهذا السؤال|إذن"),
        copulas=words(
            "هي|هو|ستكون|تكون|يكون|سيكون|هي الخيار|هو الخيار|هي:|تساوي|هي الإجابة"
        ),
        bare=True,
        is_answer=words(
            "هي الإجابة الصحيحة|هو الإجابة الصحيحة|هو الجواب الصحيح|هو الخيار الصحيح"
            "|هي الجواب الصحيح|هي الإجابة|هو الجواب|هو الاختيار الصحيح"
        ),
        is_correct=words("صحيح|هو الصحيح|هي الصحيحة|صحيحة"),
        pick=words("أختار|نختار|اخترت|سأختار"),
        so=words(
            "إذن|لذلك|لذا|وبالتالي|بالتالي|إذا|وعليه|ومن ثم|وهكذا|لهذا|في النهاية"
        ),
        because=words("لأن|لأنه|لأنها|بسبب|حيث|نظرا|وذلك"),
        conditions=words("إذا كان|إذا كانت|لو|إن كان|بافتراض|لنفترض|ما لم|في حال"),
        examples=words("على سبيل المثال|مثلا|مثال"),
        negations=words("ليس|ليست|لا|غير|لم|لن|وليس"),
        that=words("أن|بأن"),
        limits=words("على الأقل|على الأكثر|أقل من|أكثر من|بين"),
        joins=words("أو|و|إلى|أم"),
        yes=words("نعم|صحيح|صح|أجل|بلى|صحيحة"),
        no=words("لا|خطأ|كلا|غير صحيح|خاطئ|خاطئة|غير صحيحة"),
        none=words(
            "لا شيء|غير معروف|غير معروفة|غير محدد|لا يوجد|لا توجد|لا يمكن|كلاهما|جميع"
        ),
        scales={"ألف": 3, "آلاف": 3, "مليون": 6, "ملايين": 6, "مليار": 9},
        question_heads=words("السؤال|سؤال|السؤال التالي|المسألة|المستخدم"),
        rationale_heads=words("الشرح|التفسير|التعليل|الحل|السبب|التبرير|الخطوات"),
    ),
)
