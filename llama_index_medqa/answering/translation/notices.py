"""Fixed sentences around an answer in other languages; written by hand, not generated."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llama_index_medqa.text.personal_questions import PersonalQuestion


@dataclass(frozen=True, slots=True)
class Notices:
    """The fixed sentences of one language.

    Attributes:
        code: of the language, as HTML has it.
        machine_translation: heading of a translation.
        abstention: that there is no answer.
        findings: that what follows are quotes.
        untranslated: that a sentence is shown in English only.
        cautions: what is said before an answer to a person about their own case.
    """

    code: str
    machine_translation: str
    abstention: str
    findings: str
    untranslated: str
    cautions: Mapping[PersonalQuestion, str]


NOTICES: Mapping[str, Notices] = MappingProxyType(
    {
        "Chinese": Notices(
            "zh",
            "机器翻译，未经核实",
            "根据已索引的文献，我无法回答这个问题。",
            "没有任何答案能够得到核实。以下是与问题最接近的文献引文，并不是答案：",
            "此句仅有英文",
            {
                "emergency": "如果这种情况正在发生，请立即拨打当地急救电话或联系中毒控制中心。以下内容仅为文献所述。",
                "advice": "以下内容为文献所述，不能用来判断个人的具体情况：采取行动之前请咨询医生或药师。",
            },
        ),
        "French": Notices(
            "fr",
            "Traduction automatique, non vérifiée",
            "Je ne peux pas répondre à cette question à partir de la littérature indexée.",
            "Aucune réponse n'a pu être vérifiée. Voici des citations, et non une réponse ; ce sont les plus "
            "proches de la "
            "question :",
            "phrase en anglais seulement",
            {
                "emergency": "Si cela se passe en ce moment, appelez immédiatement les urgences ou un centre "
                "antipoison. Ce "
                "qui suit n'est que ce que dit la littérature.",
                "advice": "Ce qui suit est ce que dit la littérature ; elle ne peut pas juger d'un cas particulier : "
                "demandez conseil à un médecin ou à un pharmacien avant d'agir.",
            },
        ),
        "German": Notices(
            "de",
            "Maschinelle Übersetzung, nicht geprüft",
            "Das kann ich aus der erschlossenen Literatur nicht beantworten.",
            "Keine Antwort konnte geprüft werden. Dies sind Zitate, keine Antwort; sie kommen der Frage am nächsten:",
            "Satz nur auf Englisch",
            {
                "emergency": "Wenn das gerade geschieht, rufen Sie sofort den Notruf oder eine Giftnotrufzentrale "
                "an. Was "
                "folgt, ist nur, was in der Literatur steht.",
                "advice": "Was folgt, steht in der Literatur; sie kann den Fall eines einzelnen Menschen nicht "
                "beurteilen: "
                "Fragen Sie eine Ärztin, einen Arzt oder die Apotheke, bevor Sie danach handeln.",
            },
        ),
        "Japanese": Notices(
            "ja",
            "機械翻訳（未検証）",
            "索引された文献からは、この質問に答えられません。",
            "検証できた回答はありません。以下は回答ではなく、質問に最も近い文献からの引用です：",
            "この文は英語のみ",
            {
                "emergency": "今まさに起きている場合は、"
                "すぐに救急（お住まいの地域の緊急番号）または中毒情報センターに電話して"
                "ください。以下は文献に書かれていることにすぎません。",
                "advice": "以下は文献に書かれていることであり、個人の症例を判断するものではありません。"
                "行動する前に医師または"
                "薬剤師に相談してください。",
            },
        ),
        "Portuguese": Notices(
            "pt",
            "Tradução automática, não verificada",
            "Não posso responder a esta pergunta com base na literatura indexada.",
            "Nenhuma resposta pôde ser verificada. Estas são citações, não uma resposta; são as mais próximas da "
            "pergunta:",
            "frase apenas em inglês",
            {
                "emergency": "Se isto está acontecendo agora, ligue imediatamente para o número de emergência local "
                "ou para "
                "um centro de informação toxicológica. O que segue é apenas o que diz a literatura.",
                "advice": "O que segue é o que diz a literatura; ela não pode julgar o caso de uma pessoa: pergunte "
                "a um "
                "médico ou farmacêutico antes de agir.",
            },
        ),
        "Spanish": Notices(
            "es",
            "Traducción automática, no verificada",
            "No puedo responder a esta pregunta a partir de la literatura indexada.",
            "No se pudo verificar ninguna respuesta. Estas son citas, no una respuesta; son las más cercanas a la "
            "pregunta:",
            "frase solo en inglés",
            {
                "emergency": "Si esto está ocurriendo ahora, llame de inmediato al número de emergencias local o a "
                "un centro "
                "de toxicología. Lo que sigue es solo lo que dice la literatura.",
                "advice": "Lo que sigue es lo que dice la literatura; no puede juzgar el caso de una persona: "
                "pregunte a un "
                "médico o farmacéutico antes de actuar en consecuencia.",
            },
        ),
    }
)
"""By the language's English name."""
