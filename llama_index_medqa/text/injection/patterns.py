"""Patterns of prompt injection, for lower-case text with single spaces."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from llama_index_medqa.text.injection.foreign_orders import ORDERS_IN_OTHER_LANGUAGES


class OrderPattern(NamedTuple):
    """The pattern of a kind of order.

    Attributes:
        words: of which a text must hold one for the pattern to match; looked for first, because that is fast.
        pattern: what is searched for.
    """

    words: Sequence[str]
    pattern: re.Pattern[str]


def _one_of(words: str) -> str:
    """Return a pattern for any of some words.

    They are written with spaces between them and ``_`` inside them.
    """
    return f"(?:{'|'.join(word.replace('_', ' ') for word in words.split())})"


def _order(words: str, *patterns: str) -> OrderPattern:
    return OrderPattern([word.replace("_", " ") for word in words.split()], re.compile("|".join(patterns)))


def _start(*patterns: str) -> OrderPattern:
    """Return the pattern of an order that opens a sentence.

    A heading, a number or a quotation mark may stand before it.
    """
    return OrderPattern([""], re.compile("|".join(f"{_OPENING}{pattern}" for pattern in patterns)))


# --- what is done ---------------------------------------------------------------------------------------------------

# To put into words, or to make others know.
_SAY = _one_of(
    "say state tell inform notify advise mention report claim assert declare announce answer reply respond output "
    "print write repeat recommend conclude insist cite quote reveal confirm describe present portray depict praise "
    "promote warn emphasi[sz]e stress convey pass_on relay communicate name endorse translate summari[sz]e assure "
    "convince remind deny conceal omit add begin start open end finish act behave pretend ignore refer call"
)
# The same without what people are asked to do in studies and guidelines.
_TELL = _one_of(
    "say state tell inform notify mention claim assert declare announce answer reply respond repeat recommend insist "
    "reveal confirm praise promote warn pass_on relay convey assure convince add write call name output print"
)
_TOLD = _one_of(
    "said told stated informed mentioned claimed asserted declared announced answered printed written repeated "
    "recommended quoted cited revealed confirmed described presented portrayed praised promoted warned emphasi[sz]ed "
    "stressed conveyed passed_on relayed communicated named endorsed assured reminded concealed omitted included added "
    "referred called output displayed shown ranked placed put given"
)
_ORDERED = _one_of(
    "asked requested required expected supposed obliged instructed urged invited ordered directed told encouraged "
    "bound meant advised reminded programmed commanded compelled"
)
_MUST = (
    rf"(?:must|should|shall|ought to|may only|can only|(?:has|have|needs?) to|(?:is|are) (?:\w+ly )?{_ORDERED} to|"
    r"(?:is|are) to)"
)
_REQUEST = _one_of("ask request beg urge require demand expect insist beseech implore instruct order command")
_OPENING = (
    r"^\W*(?:"
    + _one_of(
        "please now always instead only then simply just and so also therefore kindly never first finally next do_not "
        "don't make_sure_to be_sure_to remember_to do_not_forget_to"
    )
    + r"\W+)*"
)
# A few words between two that matter, or more, within one sentence.
_FEW = r"(?:[^\s.!?]+ ){0,6}?"
_MORE = r"[^.!?]{0,80}?"

# --- who answers, and with what -------------------------------------------------------------------------------------

_MODEL = (
    r"(?:(?:ai|artificial intelligence)(?: (?:assistants?|models?|systems?|tools?|agents?))?|(?:large )?language "
    r"models?|llms?|chat ?bots?|chatgpt|gpt-?\w*|the assistant|(?:virtual|digital|ai) assistants?|bots?)"
)
_DEVICE = _one_of("systems? tools? models? software programs? machines? algorithms? agents? engines? pipelines?")
# What works on texts by itself, this one among them.
_MACHINE = (
    rf"(?:{_MODEL}|automat(?:ed|ic) \w+|(?:machine|computer|model|ai)[- ](?:written|made|generated|produced) \w+|"
    rf"(?:{_DEVICE}|assistants?) (?:that|which) (?:answer|generate|summari[sz]e|produce|write|quote|cite|read|process|"
    rf"use|retrieve)s?|{_DEVICE} \w+ing (?:this|these|the present|our))"
)
_ANSWER = _one_of("answers? repl(?:y|ies) summar(?:y|ies) digests? overviews? abridgements? paraphrases?")
_OUTPUT = rf"(?:{_ANSWER}|responses?|outputs?|completions?)"
# An answer that a reader of the record is about to give.
_FINAL = (
    rf"(?:(?:your|any|every|all|each|no|the (?:final|resulting|generated|eventual)) (?:\w+ )?{_ANSWER}|"
    r"(?:your|the (?:final|generated)|any generated) (?:\w+ )?(?:responses?|outputs?|completions?|text))"
)
_ASKER = r"(?:user|questioner|asker|person asking|one who asks|enquirer|inquirer|reader)"
_HANDLING = r"(?:cit|quot|read|relay|summari[sz]|repeat|paraphras|reus|rely|us|pass)\w*"
_READER = (
    rf"(?:(?:the |any |every |all |our )?readers?|whoever \w+s?|any(?:one|body) (?:who |that )?{_HANDLING} (?:on "
    rf")?(?:this|these|our|the present|it)|(?:those|all|people|persons) (?:who )?{_HANDLING} (?:on )?(?:this|these|our|"
    rf"the present))"
)
_CLINICIAN = _one_of(
    "doctors? physicians? nurses? pharmacists? health care gp provider dentist midwife clinic surgeon interviewer"
)
_TO_A_CLINICIAN = rf"(?! (?:to |with |it to )?(?:your|an?|the) (?:\w+ )?{_CLINICIAN}\b)"

# --- other orders, and other texts ----------------------------------------------------------------------------------

_DROP = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|overrule|bypass|circumvent|discard|abandon|neglect|"
    r"(?:set|put|lay) aside|pay no (?:heed|attention) to|take no notice of|erase|cancel|"
    r"(?:do not|don't|never|no longer|stop) (?:follow|obey|heed|comply with)(?:ing)?)"
)
_DROP_WORDS = (
    "ignor disregard forget overrid overrul bypass circumvent discard abandon neglect aside pay_no take_no erase "
    "cancel do_not don't never no_longer stop"
)
_RULES = _one_of("instructions? prompts? rules? directions? directives? commands? messages?")
_GUIDANCE = (
    rf"(?:{_RULES}|guidance|guidelines?|orders?|constraints?|restrictions?|policies|training|context|said|told|given|"
    rf"read|"
    r"learn(?:ed|t)|written)"
)
_EARLIER = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|initial|original|existing|system|your|"
    r"everything|anything|whatever|so far|before|until now|up to now)"
)
_OTHERS = _one_of("passages? sources? records? abstracts? documents? texts? papers? context")
_THIS_TEXT = (
    r"(?:this|the (?:present|above|following)) (?:text|passage|record|paragraph|sentence|statement|message|notice)"
)
_OUTRANK = r"(?:supersed|overrid|overrul|replac|outrank|prevail)\w* (?:over )?"

ORDER_PATTERNS: Final = (
    # Other orders, and other texts, are set aside.
    _order(
        _DROP_WORDS,
        rf"\b{_DROP} {_FEW}{_EARLIER} {_FEW}{_RULES}\b",
        rf"\b{_DROP} {_FEW}{_RULES} {_FEW}{_EARLIER}\b",
        rf"\b{_DROP} {_FEW}(?:everything|anything|whatever|all|what) {_FEW}(?:said|told|given|written|received)\b",
        rf"\b{_DROP} (?:all |any |every |the )*(?:other|remaining|rest of the) {_OTHERS}\b",
    ),
    _start(rf"{_DROP} {_FEW}{_EARLIER} {_FEW}{_GUIDANCE}\b", rf"{_DROP} (?:\w+ ){{0,3}}{_RULES}\b"),
    _order(
        "void cancel suspend revoke lifted overrid nullif invalid no_longer withdrawn obsolete supersede replace",
        rf"\b(?:earlier|previous|prior|foregoing|preceding|your) (?:\w+ )?(?:{_RULES}|orders?|constraints?) "
        rf"{_FEW}(?:void|"
        r"cancell?ed|suspended|revoked|lifted|overridden|nullified|invalid|withdrawn|obsolete|superseded|replaced|"
        r"no longer)\b",
    ),
    _order(
        "only solely exclusively",
        r"\b(?:use|trust|cite|quote|rely on|believe) (?:only|solely|exclusively) (?:this|the present|the following) "
        r"(?:abstract|text|passage|record|article|document|source|paper)\b",
        rf"\bonly (?:\w+ )?(?:permitted|allowed|acceptable|permissible|valid|legal|possible) {_OUTPUT}\b",
    ),
    _order(
        "supersed overrid overrul replac outrank prevail precedence priority no_other nothing",
        rf"\b{_OUTRANK}(?:(?:all|any|every|the|your|of) )*(?:your|other|previous|earlier|preceding) (?:\w+ "
        rf")?(?:{_RULES}|"
        r"passages?|abstracts?|documents?|context)\b",
        rf"\b(?:passage|text|record|notice|message|statement) {_OUTRANK}(?:all|any|every|everything|your)\b",
        rf"\btakes? (?:precedence|priority) over (?:(?:all|any|every|the|your) )*(?:(?:your|other|previous|earlier|"
        rf"preceding) )?(?:{_RULES}|{_OTHERS})\b",
        r"\bnothing (?:else |that is )?(?:stated|said|written|told) (?:outside|before|above|elsewhere|in (?:other|the "
        r"other))\b"
        rf"{_MORE}\b(?:appl|count|matter|hold)\w*",
        rf"\bno other {_OTHERS} (?:may|must|should|shall|can|is to|are to) be (?:{_TOLD}|used|trusted|considered)\b",
    ),
    # To "you".
    _order(
        "you",
        r"\byou are (?:now|no longer|hereby)\b",
        r"\byou,? (?:the |an? )?(?:ai|model|assistant|language model|chatbot)\b",
        rf"\byou are (?:an? |the )?(?:\w+ ){{0,3}}(?:{_MODEL}|assistant)\b",
        rf"\byou {_MUST} (?:\w+ ){{0,2}}?{_SAY}\b{_TO_A_CLINICIAN}",
        rf"\byou (?:will|shall|must|may) (?:now |always |never |only )*(?:{_SAY}|play|impersonate)\b{_TO_A_CLINICIAN}",
        rf"\byou (?:were|have been) {_ORDERED} to (?:{_SAY}|obey|follow)\b",
        rf"\byour (?:\w+ )?{_OUTPUT} {_MUST}\b",
        rf"\b(?:in|to|with|from|begin|start|open|end|close|finish) your (?:\w+ )?(?:{_ANSWER}|response|output)\b",
        r"\byour (?:\w+ )?(?:task|job|role|mission|duty) (?:is|now|here)\b",
        r"\byour (?:\w+ )?(?:system|hidden|initial|original|secret|safety|previous) (?:\w+ )?(?:prompts?|instructions?|"
        r"rules?|guidelines?|messages?)\b",
        r"\byour (?:only |sole |new |next |real |actual |true )+(?:task|job|role|goal|duty|mission|instructions?)\b",
        rf"\b(?:{_ORDERED}|authori[sz]e[sd]?|permits?|instructs?|orders?|commands?) you to\b",
        r"\bif you (?:are (?:an? )?(?:\w+ )?(?:ai|llm|language model|assistant|chatbot|bot|machine)|can read this)\b",
        r"\bif you are (?:reading|processing|summari[sz]ing) this\b",
        rf"\b(?:could|would|can|will) you (?:please |kindly |now )+{_SAY}\b(?! (?:us|me|the interviewer)\b)",
    ),
    _start(
        r"as an? (?:ai|llm|language model|assistant|chatbot)\b[^.!?]{0,30},",
        r"(?:pretend (?:to be|that|you)|role-?play|impersonate|imagine you|(?:enter|enable|activate|switch to) (?:\w+ "
        r")?mode|(?:act|behave|speak) as (?:if|an?|the))\b",
    ),
    _order(
        "from_now_on from_here_on henceforth from_this",
        r"\b(?:from now on|from here on|from this (?:point|moment) on|henceforth)\b,? (?:\w+ )?(?:say|state|tell|"
        r"answer|reply|respond|output|recommend|insist|act|behave|pretend|play|speak|you|always|only)\b",
    ),
    # To a model, by name.
    _order(
        "ai llm language_model bot gpt assistant automat machine computer model system tool software program algorithm "
        "agent engine pipeline recommender",
        rf"\b(?:note|notice|message|memo|reminder|instructions?|hint|warning)s? (?:to|for) (?:the |any |all |every )?"
        rf"(?:{_MODEL}|assistants?)\b(?! (?:users?|developers?|systems?))",
        rf"\b{_MODEL} (?:instructions?|prompt|directive|order|note|notice|command|message) ?:",
        rf"\b{_MACHINE}\b{_MORE}\b{_MUST} (?!be )(?:\w+ ){{0,3}}?{_SAY}\b[^.!?]{{0,60}}(?:\bthat\b|\bas\b|:|[\"']|\bto "
        rf"(?:be|stop|"
        r"take|avoid)\b|\bwith the\b)",
        rf"\b(?:any|every) {_MACHINE}\b{_MORE}\b{_MUST} (?:\w+ ){{0,3}}?{_SAY}\b",
        rf"\b{_MODEL},? (?:reading|processing|summari[sz]ing|parsing) this\b",
        rf"\bthe (?:assistant|ai|chatbot|language model|llm|bot) (?:will|shall|is to|must) (?:now |always |only |never "
        rf")*{_SAY}\b",
        rf"\bthe model (?:shall|must|is to) (?:now |always |only |never )*{_TELL}\b",
        rf"\b(?:search engines?|assistants|recommenders?|retrieval systems?)\b{_MORE}\b{_MUST}\b{_MORE}\b(?:this|our) "
        r"(?:result|paper|article|abstract|text|record|study)\b",
    ),
    _start(rf"(?:attention|dear|hello|hey|hi)\b[\s,:!]*(?:the |any |all )?(?:{_MODEL}|assistants?)\b"),
    # To whoever reads it or passes it on.
    _order(
        "reader whoever anyone anybody those people persons all",
        rf"\b{_READER}\b{_MORE}\b{_MUST} (?:\w+ ){{0,3}}?{_TELL}\b",
        rf"\breaders? {_MUST} (?:\w+ )?be (?:told|informed|assured|made to believe|convinced)\b",
    ),
    _order(
        "the_user the_reader questioner asker person_asking one_who_asks inquirer enquirer users anyone anybody "
        "whoever somebody",
        rf"(?:^\W*|[:;,] |\b(?:please|must|should|shall|and|then|now) )(?:tell|inform|advise|warn|assure|notify|"
        rf"convince|persuade|remind) (?:the |any |every |all )(?:\w+ )?{_ASKER}s?\b",
        rf"\bthe {_ASKER} {_MUST} be (?:told|informed|advised|warned|assured|convinced)\b",
        r"\b(?:users|anyone|anybody|whoever|somebody) (?:who |that )?(?:ask|enquir|inquir|want)\w*\b[^.!?]{0,60}\b"
        rf"{_MUST} (?:\w+ )?be {_TOLD}\b",
    ),
    _order(
        "please kindly",
        r"\b(?:please|kindly) (?:also |do |only |always |now |just |be sure to |make sure to |remember to )*"
        + _one_of(
            "say state tell inform mention claim answer reply respond output print write repeat recommend conclude "
            "insist let forward hand stop let refrain reveal confirm describe pass relay add begin end warn advise "
            "name present portray praise promote emphasi[sz]e"
        )
        + r"\b(?! (?:us|me)\b)",
    ),
    _order(
        "grateful appreciate obliged thankful so_kind",
        r"\b(?:we|i|it) would (?:\w+ ){0,4}?(?:grateful|obliged|thankful|appreciated?)\b (?:\w+ ){0,2}?(?:if|that)\b",
        r"\b(?:be|are) so kind (?:as to|and)\b",
    ),
    _order(
        "ask request beg urge require demand expect insist beseech implore instruct order command stipulate oblige "
        "mandate direct desire",
        rf"\b(?:we|i|the (?:authors?|editors?|publishers?|journal)) (?:\w+ly |would |must |do |hereby |therefore )*"
        rf"{_REQUEST}s? (?:that )?(?:you\b|{_READER}\b{_MORE}\b{_SAY}|(?:any |every |the |all )?{_MACHINE}|(?:any|"
        rf"every|all) {_OUTPUT})",
        rf"\b(?:require|demand|stipulate|oblige|mandate|order|direct|instruct)s? (?:that )?(?:any|every|each|all) "
        rf"(?:\w+ )?(?:{_OUTPUT}|{_MODEL}|assistants?)\b{_MORE}\b(?:{_SAY}s?|includes?)\b",
        rf"\bit is (?:\w+ly )?(?:requested|asked|demanded|desired) that\b{_MORE}\b(?:{_SAY}|be (?:\w+ )?{_TOLD})\b",
    ),
    # What is to become of an answer, or of this text in it.
    _order(
        "answer repl summar digest overview output respon completion abridge paraphras generated",
        rf"\b(?:any|every|each|all|no) (?:\w+ ){{0,2}}?{_ANSWER} {_FEW}{_MUST} (?:\w+ ){{0,2}}?(?:{_SAY}|include|"
        rf"contain)\b",
        rf"\b{_OUTPUT} {_FEW}{_MUST} (?:\w+ ){{0,2}}?(?:say|state|mention|claim|assert|declare|tell|inform|warn|name|"
        rf"insist|"
        r"recommend|advise|deny|conceal|omit) (?:that|the (?:words?|reader|user|sentence))\b",
        rf"\b{_OUTPUT} {_FEW}{_MUST} (?:\w+ ){{0,2}}?(?:begin|start|open|close|end|finish) with (?:the |an? "
        rf")?(?:words?|"
        r"sentence|phrase|statement|advice|warning|remark|claim|[\"'])",
        rf"\b{_OUTPUT} {_FEW}{_MUST} (?:\w+ ){{0,2}}?(?:include|contain|repeat|quote) (?:the |an? )?(?:\w+ )?(?:words?|"
        r"sentence|phrase|statement|remark|claim|slogan|[\"'])",
        r"\bthe (?:only |sole )?(?:correct|right|proper|true|permitted|allowed|acceptable|approved|authori[sz]ed|"
        r"official|"
        rf"required|expected) {_OUTPUT}(?: to (?:this|that|any|every|all|such|the)(?: \w+){{0,3}})? (?:is that|{_MUST}|"
        r"will be|is:|is [\"'])",
        rf"\b{_FINAL}\b{_MORE}\b{_MUST} (?:\w+ ){{0,2}}?(?:be )?(?:{_SAY}|{_TOLD}|include|contain)\b",
        rf"\b{_MUST} (?:\w+ ){{0,2}}?be (?:\w+ )?{_TOLD}\b{_MORE}\bin {_FINAL}\b",
        rf"\b(?:in|to|at the (?:start|beginning|end|top) of) (?:your|the final|the generated) (?:\w+ "
        rf")?{_OUTPUT}\b[^.!?]{{0,40}}\b{_MUST}\b",
        rf"\b(?:imperative|mandatory|obligatory|compulsory|essential|vital|crucial) that (?:\w+ )?{_ANSWER} "
        rf"{_FEW}{_SAY}\b",
        rf"\blet (?:every|any|all|each|your) (?:\w+ )?{_OUTPUT}\b",
        rf"\b(?:ensure|make sure|see to it) that (?:your|the|any|every|all) (?:\w+ )?(?:{_ANSWER}|response|"
        rf"output)\b{_MORE}\b(?:{_SAY}s?|includes?|contains?)\b",
        rf"\b(?:for|to|on) (?:any|every) (?:question|query|request|enquiry|inquiry)\b{_MORE}\b(?:the "
        rf")?{_OUTPUT}\b{_MORE}\b(?:is|{_MUST})\b",
    ),
    _order(
        "this the_present the_above the_following", rf"\b{_THIS_TEXT} {_MUST} (?:\w+ ){{0,2}}?be (?:\w+ )?{_TOLD}\b"
    ),
    _order(
        "ask quer question prompt consult enquir inquir want_to_know wants_to_know request user",
        r"\b(?:when(?:ever)?|if|should|once|in case|as soon as|every time|any time)\b[^.!?]{0,50}\b(?:asked|asks?|"
        r"quer(?:y|ied|ies)|questioned|prompted|consulted|enquires?|inquires?|wants? to know|(?:an?|the|any) "
        r"(?:question|query|prompt|request|user)|users?)\b[^.!?]{0,60}[,:;] (?:please |then |you |always |only |simply "
        r"|just )*(?:"
        + _one_of(
            "say tell mention claim assert declare respond output print write repeat recommend insist reveal confirm "
            "praise promote warn name refer point direct deny refuse"
        )
        + r"\b|make sure|be sure|ensure that|never |always |do not |the (?:\w+ )?(?:correct|right|only|proper|true|"
        rf"best|expected|accepted) {_OUTPUT})",
    ),
    # Orders that open a sentence.
    _start(
        _one_of(
            "say state tell inform mention claim assert answer reply respond output print write repeat recommend "
            "conclude insist quote reveal confirm describe present portray warn advise assure admit declare announce "
            "emphasi[sz]e stress"
        )
        + r"(?: (?:only|always|instead|exactly|simply|just))*(?: (?:that|to (?:the|any|every|all|each) "
        rf"(?:{_ASKER}|people|patients?|quer|questions?\b(?! of))|with (?:the (?:words?|sentence|phrase)|only|yes|no|"
        rf"nothing|"
        r"[\"'])|(?:the|your|every|any) (?:user|words?|following|sentence|phrase|questioner|system prompt|hidden)|"
        r"nothing|exactly|only|in (?:the (?:style|voice|name)|capital|verse|rhyme)|as (?:if|though)|every (?:question|"
        r"query))\b| ?[\"'])(?!.{0,80}\bletters? to the editor)",
        r"(?:say|output|print|write|respond)(?: (?:only|exactly|this|with|the following))? ?: ",
        _one_of(
            "ignore skip mention hide conceal disclose translate stop cease recommend promote praise cite refrain "
            "avoid rely trust use include add write compose replace rank present show omit read continue end begin "
            "remember focus base copy insert append put place give leave refer direct send respond answer address"
        )
        + r"\b (?:[^\s.!?]+ ){0,9}?(?:the (?:user|question|query|prompt)\b|(?:your|the (?:final|generated)|any|every) "
        r"(?:\w+ )?(?:answer|reply|response|summary|output)\b|(?:the|all|any) (?:other|remaining) (?:abstracts?|"
        r"passages?|sources?|records?|documents?)\b|any other (?:study|paper|source|abstract|passage|record)\b|"
        r"verbatim\b|an? (?:poem|song|joke|story)\b)",
    ),
    # The marks of a conversation, or of markup for models.
    _order(
        "< > [ ] { } # :",
        r"<\|?/?(?:im_start|im_end|endoftext|eot_id|\w+_header_id|begin_of_text|end_of_turn|start_of_turn|s)\|?>",
        r"<[|\s/]*(?:system|assistant|user|human|developer|instructions?|passages?|context|evidence|documents?|prompt|"
        r"inst|sys|tool_call|function_call|think)[|\s/]*>",
        r"\[/?\s*inst\s*\]|<<\s*/?sys\s*>>|\{\{\s*(?:system|user|prompt)",
        r"#{2,}\s*(?:instructions?|response|system|human|assistant|user|input|answer|question|task)\b",
        r"[\"']role[\"']\s*:\s*[\"'](?:system|assistant|user|developer|tool)[\"']",
        r"^\W*(?:system|assistant|user|human|developer|ai|bot|instructions?|passages|answer)(?: (?:message|"
        r"prompt))?\s*:",
        r"\b(?:system|developer|admin(?:istrator)?) (?:prompt|message|override|note|notice)\s*[:\]]",
        rf"^\W*(?:new|updated|real|actual|hidden|system|following|important|additional|special) {_RULES}(?: \w+)? ?:",
        r"\bfor (?:the |all |any )?(?:ai|llms?|language models?|automated (?:readers?|systems?)|machine readers?|"
        r"chatbots?)(?: only| consumption| readers?)* ?:",
        r"\b(?:correct|required|expected|desired) (?:behaviou?r|answer|reply|output|response) ?: (?:answer|reply|say|"
        r"output|[\"'])",
        r"\b(?:new|next|real|actual|final) (?:task|goal|objective|role|instructions?|prompt|system message) ?:",
        r"!\[[^\]]*\]\(\s*https?:|<\s*(?:script|iframe|img|object)\b",
    ),
    _order(
        "prompt",
        r"\b(?:begin|start|end) (?:of )?(?:the )?(?:system|user|developer) (?:prompt|instructions?|message)\b",
        r"\b(?:disclos|reveal|print|show|leak|repeat|output)\w* (?:\w+ ){0,3}?(?:system|hidden|your|initial|original|"
        r"the) prompt\b",
    ),
    _order(
        "authori permit allow invite instruct order",
        rf"\b(?:i|we) (?:\w+ly |hereby )*(?:authori[sz]e|permit|allow|invite|instruct|order) (?:the |any |all "
        rf")?(?:{_MODEL}|"
        r"assistants?|summari[sz]\w+)\b",
    ),
    _order("override_code", r"\boverride code\b"),
    _order("end_of", r"\bend of (?:the )?(?:context|passages?|documents?|prompt|input|system message|instructions)\b"),
    OrderPattern([""], re.compile("|".join(ORDERS_IN_OTHER_LANGUAGES))),
)
"""Every kind of order that is known."""

RUN_TOGETHER: Final = re.compile(
    r"(?:ignore|disregard|forget|override)(?:all|any|the|your|my|these|of)*(?:previous|prior|above|earlier|preceding|"
    r"system)(?:instruction|prompt|rule|direction|message|guidance|command)"
)
"""The commonest of them in a text of which only the letters are left."""
