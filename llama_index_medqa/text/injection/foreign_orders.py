"""Patterns of prompt injection in languages other than English.

Over small letters without the accents of Latin and Cyrillic script, with single spaces.
"""

from typing import Final

ORDERS_IN_OTHER_LANGUAGES: Final = (
    # German
    r"\b(?:ignorier|missacht|vergiss|vergess|verwirf|verwerf|ubergeh)\w*\b[^.!?]{0,60}(?:anweisung|instruktion|regel|"
    r"vorgabe|befehl|aufforderung)",
    r"^\W*(?:sag|sage|sagt|sagen sie|antworte|antworten sie|erklare|teile|informiere)\b[^.!?]{0,40}\b(?:dass|nutzer|"
    r"leser|immer|nur)\b",
    # French
    r"\b(?:ignore[zr]?|oublie[zr]?|neglige[zr]?|abstraction) (?:de )?(?:toutes? |tous )?(?:les|ces|vos|tes|mes|des)\b"
    r"[^.!?]{0,40}\b(?:instruction|consigne|regle|directive)",
    r"^\W*(?:dis|dites|reponds|repondez|informez|affirmez)\b[^.!?]{0,40}\b(?:que|utilisateur|lecteur|toujours)\b",
    # Spanish, Italian, Portuguese
    r"\b(?:ignor[ae]n?|olvid[ae]\w*|descart[ae]|caso omiso|desestim[ae])\b[^.!?]{0,60}\b(?:instruccion|regla|orden\b|"
    r"indicacion|directri)",
    r"^\W*(?:responde|responda|di|diga|dile|digale)\b[^.!?]{0,40}\b(?:que|usuario|lector|siempre|solo)\b",
    r"\b(?:ignor[ai](?:te)?|dimentica(?:te)?|trascura(?:te)?|scarta(?:te)?)\b[^.!?]{0,60}\b(?:istruzion|regol|direttiv|"
    r"indicazion)",
    r"^\W*(?:rispondi|rispondete|di'|dite)\b[^.!?]{0,40}\b(?:che|utente|lettore|sempre|solo)\b",
    r"\b(?:ignor[ae]|esquec\w+|desconsider\w+|desprez\w+)\b[^.!?]{0,60}\b(?:instrucoes|instrucao|regra|diretriz|"
    r"ordens)",
    # Dutch, Polish, Turkish, Russian
    r"\b(?:negeer|vergeet)\b[^.!?]{0,60}\b(?:instructie|regel|aanwijzing|opdracht)",
    r"\b(?:z?ignoruj|zapomnij|pomin)\b[^.!?]{0,60}\b(?:instrukcj|polecen|zasad|wytyczn)",
    r"(?:talimat|komut)\w*[^.!?]{0,60}\b(?:yok say|unut|dikkate alma|gormezden gel)",
    r"(?:игнорир|забуд|пренебре|не следу[ий])\w*[^.!?]{0,60}(?:инструкц|указани|правил|команд)",
    r"(?:ответь|отвечаи|скажи|сообщи)\w*[^.!?]{0,40}(?:что|пользовател|читател)",
    # Chinese, Japanese, Korean, Arabic, Hindi
    r"(?:忽略|无视|無視|忘记|忘記|忽视|忽視|不要理会)[^。!?]{0,20}(?:指令|指示|说明|說明|规则|規則|提示)",
    r"(?:告诉|告訴|告知)[^。!?]{0,6}(?:用户|用戶|使用者|读者|讀者)",
    r"(?:指示|命令|指令|ルール)[^。!?]{0,20}(?:無視|忘れ)|(?:ユーザー|読者)に[^。!?]{0,30}(?:伝え|答え|言)",
    r"(?:지시|명령|규칙|지침)[^.!?]{0,20}(?:무시|잊)|사용자에게[^.!?]{0,30}(?:말|답|알)",
    r"(?:تجاهل|انس|تجاوز)[^.!?]{0,60}(?:تعليمات|اوامر|أوامر|قواعد)",
    r"(?:निर्देश|नियम)[^.!?]{0,40}(?:अनदेखा|भूल)",
)
"""One pattern for each language and kind."""
