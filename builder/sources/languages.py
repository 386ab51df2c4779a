"""English names of languages, by the codes that data sets of translations use."""

from collections.abc import Sequence
from itertools import permutations

# ISO 639-3, as NTREX-128 uses it.
_NAMES = """
afr Afrikaans; amh Amharic; arb Arabic; aze Azerbaijani; bak Bashkir; bel Belarusian;
bem Bemba; ben Bengali; bod Tibetan; bos Bosnian; bul Bulgarian; cat Catalan; ces Czech;
ckb Central Kurdish; cym Welsh; dan Danish; deu German; div Dhivehi; dzo Dzongkha;
ell Greek; eng English; est Estonian; eus Basque; ewe Ewe; fao Faroese; fas Persian;
fij Fijian; fil Filipino; fin Finnish; fra French; fuc Pulaar; gle Irish; glg Galician;
guj Gujarati; hau Hausa; heb Hebrew; hin Hindi; hmn Hmong; hrv Croatian; hun Hungarian;
hye Armenian; ibo Igbo; ind Indonesian; isl Icelandic; ita Italian; jpn Japanese;
kan Kannada; kat Georgian; kaz Kazakh; khm Khmer; kin Kinyarwanda; kir Kyrgyz;
kmr Northern Kurdish; kor Korean; lao Lao; lav Latvian; lit Lithuanian; ltz Luxembourgish;
mal Malayalam; mar Marathi; mey Hassaniya Arabic; mkd Macedonian; mlg Malagasy;
mlt Maltese; mon Mongolian; mri Maori; msa Malay; mya Burmese; nde Northern Ndebele;
nep Nepali; nld Dutch; nno Norwegian Nynorsk; nob Norwegian Bokmål; nso Northern Sotho;
nya Chichewa; orm Oromo; pan Punjabi; pol Polish; por Portuguese; prs Dari; pus Pashto;
ron Romanian; rus Russian; shi Tashelhiyt; sin Sinhala; slk Slovak; slv Slovenian;
smo Samoan; sna Shona; snd Sindhi; som Somali; spa Spanish; sqi Albanian; srp Serbian;
ssw Swati; swa Swahili; swe Swedish; tah Tahitian; tam Tamil; tat Tatar; tel Telugu;
tgk Tajik; tha Thai; tir Tigrinya; ton Tongan; tsn Tswana; tuk Turkmen; tur Turkish;
uig Uyghur; ukr Ukrainian; urd Urdu; uzb Uzbek; ven Venda; vie Vietnamese; wol Wolof;
xho Xhosa; yor Yoruba; yue Cantonese; zho Chinese; zul Zulu
"""
# ISO 639-1, as WMT's data sets use it.
_TWO_LETTERS = """
af afr; am amh; ar arb; az aze; be bel; bg bul; bn ben; bs bos; ca cat; cs ces; cy cym;
da dan; de deu; el ell; en eng; es spa; et est; eu eus; fa fas; fi fin; fr fra; ga gle;
gl glg; gu guj; ha hau; he heb; hi hin; hr hrv; hu hun; hy hye; id ind; ig ibo; is isl;
it ita; ja jpn; ka kat; kk kaz; km khm; kn kan; ko kor; ky kir; lo lao; lt lit; lv lav;
mg mlg; mk mkd; ml mal; mn mon; mr mar; ms msa; mt mlt; my mya; nb nob; ne nep; nl nld;
nn nno; no nob; om orm; pa pan; pl pol; ps pus; pt por; ro ron; ru rus; si sin; sk slk;
sl slv; so som; sq sqi; sr srp; sv swe; sw swa; ta tam; te tel; tg tgk; th tha; tk tuk;
tr tur; tt tat; uk ukr; ur urd; uz uzb; vi vie; wo wol; xh xho; yo yor; zh zho; zu zul
"""
_VARIETIES = {
    "Arab": "Arabic script",
    "Cyrl": "Cyrillic",
    "Latn": "Latin script",
    "Hans": "Simplified",
    "Hant": "Traditional",
    "BR": "Brazil",
    "CA": "Canada",
    "GB": "United Kingdom",
    "IN": "India",
    "MX": "Mexico",
    "US": "United States",
}
_CHINESE = {"CN": "Simplified", "TW": "Traditional"}


def _parse_table(table: str) -> dict[str, str]:
    entries = (entry.strip().partition(" ") for entry in table.split(";"))
    return {code: value for code, _, value in entries}


_BY_CODE = _parse_table(_NAMES)
_ISO_639_3 = _parse_table(_TWO_LETTERS)


def language_name(code: str) -> str:
    """Return the English name of a language, with its region or script in brackets.

    zho-CN is "Chinese (Simplified)". A code that is not known is returned as it is.
    """
    base, _, variety = code.replace("_", "-").partition("-")
    name = _BY_CODE.get(_ISO_639_3.get(base, base))
    if name is None:
        return code
    if not variety:
        return name
    varieties = _VARIETIES | _CHINESE if name == "Chinese" else _VARIETIES
    return f"{name} ({varieties.get(variety, variety)})"


def find_direction(
    name: str | None, languages: Sequence[str]
) -> tuple[str, str] | None:
    """Return the codes of source and target in "eng-deu", each one of `languages`.

    A code may hold a hyphen too. None if there is no such direction.
    """
    for source, target in permutations(languages, 2):
        if name == f"{source}-{target}":
            return source, target
    return None
