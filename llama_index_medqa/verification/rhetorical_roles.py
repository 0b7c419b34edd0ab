"""Rhetorical roles of sentences: questions, aims, methods, conclusions.

Those that say what was asked, planned or unknown name all that a finding names, and support none.

Rhetorical roles of the sentences of abstracts (argumentative zoning: Teufel and Moens, 2002, Computational Linguistics
28(4)), of which only those are told here that no finding can rest on. Plain descriptions of methods are none of them:
they support what is said of the methods.
"""

import re

from llama_index_medqa.text.headings import OPTIONAL_HEADING
from llama_index_medqa.verification.role_chances import role_chances

_LEAST_FINDING_CHANCE = 0.5
_STUDY_VERBS = (
    r"(?:address|analy[sz]e|assess|characteri[sz]e|clarify|compare|define|describe|determine|develop|establish|estimate|"
    r"evaluate|examine|explore|find out|identify|investigate|measure|quantify|see|stud(?:y|ied)|"
    r"summari[sz]e|test|understand|validate|verify)(?:e?s|e?d)?"
)
_STUDY = (
    r"(?:we|(?:this|the|our|these|present|current|proposed)(?: [\w-]+){0,3} (?:analysis|article|investigation|paper|"
    r"program(?:me)?|project|protocol|report|review|stud(?:y|ies)|trials?|RCT|work))"
)
# What is asked for: a sentence that names it has not found it yet.
_SOUGHT = (
    r"(?:whether|if|how|(?:[\w-]+ ){0,4}(?:ability|acceptability|association|benefits?|contribution|cost-effectiveness|"
    r"differences?|effect|effectiveness|effects|efficacy|feasibility|hypothes[ie]s|impact|influence|potential|"
    r"relation|relationship|role|safety|usefulness|validity|value)\b)"
)
# The rest of the clause. It ends before what may be a result.
_CLAUSE = (
    r"(?:(?!,\s(?:and(?! that\b)|but|which|who|whose|of whom)\b|\bbut\b"
    r"|\band (?:we )?(?:also )?(?:found|show|observ|demonstrat|detect)"
    r"|\d\s?%|\bp\s?[<=>])[^;.])*"
)
_OBJECTIVE = re.compile(
    # "The aim of the trial was …", "we aimed to …", "designed to …"
    r"(?:\b(?:central|key|main|our|overall|primary|secondary|specific|the|this)(?: \w+){0,2} "
    r"(?:aims?|goals?|objectives?|purposes?)\b[^.;]{0,80}?\b(?:is|are|was|were)\b"
    rf"|\b{_STUDY} (?:\w+ ){{0,2}}"
    r"(?:aim|attempt|hope|intend|plan|propose|seek|set out|sought|wish)(?:s|ed)? (?:to|at)\b"
    rf"|\b{_STUDY} (?:\w+ ){{0,2}}(?:look(?:ed)? for|search(?:ed)? for|seek|sought) (?:\w+ ){{0,2}}(?:evidence|proof)\b"
    # "We review the literature on …", "this article discusses …"
    rf"|\b{_STUDY} (?:(?:also|briefly|here|will|\w+ly) ){{0,2}}(?:discuss(?:e[sd])?|overviews?|"
    r"(?:outlines?|reviews?|reviewed|summari[sz]e[sd]?) (?:[\w-]+ ){0,4}(?:advances|aspects|concepts|data|evidence|"
    r"knowledge|literature|management|progress|research|role|studies|use))\b"
    rf"|\b(?:is|are|was|were) (?:\w+ )?(?:conducted|designed|initiated|launched|performed|undertaken)"
    rf" (?:in order )?to (?:\w+ )?{_STUDY_VERBS}\b"
    # "We examined the effect of …", "this trial will assess whether …"
    rf"|\b{_STUDY} (?:(?:will|also|here|now|then|therefore|thus|has|have|\w+ly) ){{0,3}}{_STUDY_VERBS} {_SOUGHT}"
    rf"|\b{_STUDY} will (?:\w+ly |also )?{_STUDY_VERBS}\b"
    rf"|\bto (?:\w+ly )?{_STUDY_VERBS} (?:whether|if|how)\b"
    # "We hypothesised that …", "the programme is expected to …"
    r"|\b(?:address(?:es)?|examined|tested|tests|to test) (?:the|a|an|our) (?:\w+ ){0,2}hypothes[ie]s that\b"
    r"|\band (?:\w+ )?hypothesi[sz]ed?\b"
    r"|\b(?:we|it (?:is|was)) (?:\w+ )?(?:hypothesi[sz]ed?|anticipated?|expect(?:ed)?)\b"
    r"|\b(?:(?:our|main|central|primary|study|working) )hypothes[ie]s (?:is|are|was|were)\b"
    r"|\b(?:is|are|was|were) (?:anticipated|expected|hypothesi[sz]ed|supposed) to\b"
    # "The results will inform …", "… will be compared"
    rf"|\bwill (?:\w+ ){{0,2}}(?:add|answer|assess|clarify|compare|confirm|contribute|determine|evaluate|examine|"
    rf"explore|fill|give|help|inform|investigate|provide|reveal|shed|show|test|verify|yield)\b"
    rf"|\bwill be (?:\w+ )?(?:analy[sz]ed|assessed|compared|evaluated|examined|explored|investigated|tested|useful)\b)"
    rf"{_CLAUSE}",
    re.IGNORECASE,
)
# "To examine …", "In order to find out …".
_TO_STUDY = rf"(?:In order to|To):?\s+(?:\(?[1ai]\)\s*)?(?:\w+ly )?{_STUDY_VERBS}\b"
_LEADING_OBJECTIVE = re.compile(rf"^{OPTIONAL_HEADING}{_TO_STUDY}(?:[^,;.]|\.(?!\s))*(?:[,;.]|$)")
# Under a heading such as "OBJECTIVES:" any infinitive is an aim: "AIM: To show …", "Purpose To assess …".
_BARE_INFINITIVE = re.compile(
    r"^(?:(?:[A-Z][\w &/,]{0,30})?\b(?i:aims?|goals?|hypothes[ie]s|objectives?|purposes?)\b[\w &/]{0,15}:?\s*"
    rf"(?:In order to|To)\b(?! (?:our|date|the)\b)|{OPTIONAL_HEADING}{_TO_STUDY})"
)
# A main clause beside the infinitive: "To examine X, blood was drawn".
_FINITE = re.compile(
    r"\b(?:am|is|are|was|were|has|have|had|do|does|did|can|could|may|might|must|should|will|would|we|I|"
    r"describes|enrolled|fell|found|gave|led|presents|received|recruited|reports|rose|showed|took|underwent)\b"
)
# The whole sentence tells what was wanted or supposed: "The aim of this study was to …", "We hypothesised that …".
_OBJECTIVE_SENTENCE = re.compile(
    rf"^{OPTIONAL_HEADING}(?:[A-Z][\w ,-]{{0,60}}, |Therefore |Thus )?"
    r"(?:(?:it was )?(?:(?:the|our|a|an|its|this|one|another|two|three) )?(?:[\w-]+ ){0,4}"
    r"(?:aims?|goals?|objectives?|purposes?)\b(?: (?:of|for|in|behind) [^.;]{0,80}?)?,? "
    r"(?:is|are|was|were|has been|have been|will be)(?: also| therefore| thus)? (?:to|two-?fold)\b"
    r"|(?:the|our|a|an|this|its) (?:[\w-]+ ){0,4}hypothes[ie]s(?: of [^.;]{0,60}?)? (?:is|are|was|were|would be) that\b"
    rf"|{_STUDY} (?:\w+ ){{0,2}}(?:is |was )?(?:aim(?:s|ed)?|sought|seeks?|set out) (?:to|at)\b"
    rf"|(?:{_STUDY}|it (?:is|was)) (?:\w+ ){{0,2}}(?:anticipated?|expect(?:ed)?|hypothesi[sz]e[ds]?|postulated?)\b"
    r"(?! by\b))",
    re.IGNORECASE,
)
# A finding told beside an aim: "…; deaths were fewer", "…, but none was found", "(p < .05)".
_FOUND_BESIDE = re.compile(
    r";|,? (?:and|however|which) (?:(?:also|instead|it|these|they|this|thus|we) )*(?:(?:are|is|was|were) )?(?:able|"
    r"associated|confirmed|decreased|demonstrated|detected|did|fell|find|found|had|improved|increased|led|lowered|"
    r"observed|reduced|report|revealed|rose|saw|show|showed|shown)\b|\bbut\b|\bp\s?[<=>]|\bCI\b|"
    r"\b(?:confirm|contradict|refut|reject|support)\w*\b|\. [A-Z\d]"
)
_OPEN = re.compile(
    r"(?:\b(?:is|are|was|were|remains?|remained|has been|have been)\s+"
    r"(?:(?:currently|highly|largely|poorly|rather|still|very) )*"
    r"(?:controversial|debated|disputed|elusive|lacking|scarce|sparse|uncertain|unclear|unknown|unresolved|"
    r"understudied|"
    r"under (?:debate|discussion|investigation|study)|being (?:evaluated|investigated|studied|tested))\b"
    r"|\b(?:has|have) (?:not|never)(?: yet)? been (?:\w+ly )?"
    r"(?:assessed|evaluated|examined|explored|investigated|studied|tested)\b"
    r"|\blittle (?:is|was) known\b"
    r"|\b(?:is|are|was|were|remains?) (?:(?:currently|largely|still) )?(?:not (?:yet )?|poorly |incompletely )"
    r"(?:\w+ly )?"
    r"(?:well |yet )?(?:characteri[sz]ed|clarified|defined|determined|elucidated|established|known|understood)\b"
    r"|\b(?:few|not enough) (?:\w+ )?(?:data|evidence|research|studies|trials)\b)"
    rf"(?:\s+(?:how|if|whether|which|why)\b{_CLAUSE})?",
    re.IGNORECASE,
)
# "If tea lowers the pulse, it could be used": what would follow if it were so.
_CONDITIONAL = re.compile(
    rf"^{OPTIONAL_HEADING}If\b[^;.]*?,[^;.]*\b(?:could|may|might|should|would) (?:also |then )?be (?:a |an )?(?:added|"
    r"advised|applied|avoided|candidate|considered|given|helpful|indicated|offered|option|prescribed|promising|"
    r"recommended|tested|tried|used|useful|valuable)\b[^;.]*\.?$",
    re.IGNORECASE,
)
# What tells that something was found, or counted.
_RESULT = re.compile(
    # No digit of a name, such as "omega-3" and "PM2.5".
    r"(?<![\w.])(?<![A-Za-z]-)\.?\d|\b(?:significan\w+|increas\w+|decreas\w+|reduc(?:ed|es|tions?)|improv(?:ed|es|ements?)|declin\w+|rose|fell|"
    r"prevented|higher|lower(?:s|ed|ing)?|greater|fewer|longer|shorter|better|worse\w*|more|less|"
    r"differ(?:s|ed|ence|ences)?|similar\w*|correlat(?:ed|es|ion)|found|showed|shown|observed|associated|detected|"
    r"revealed|demonstrated|resulted|predict(?:s|ed)|effective|benefi\w+|caus(?:es|ed)|led|received|included|enrolled|"
    r"randomi[sz]ed|assigned|underwent|consist\w*|one|two|three|four|five|six|seven|eight|nine|ten)\b",
    re.IGNORECASE,
)
# Beside what is open such a sentence may assert something: "X is debated; Y may prevent it".
_ASSERTION = re.compile(r"\b(?:can|cannot|may|might|prevents?|should|works?)\b", re.IGNORECASE)
# What was done, and to whom.
_METHOD = re.compile(
    r"\b(?:was|were|have been|has been|had been) (?:\w+ly |then |also )?(?:administered|allocated|analy[sz]ed|asked|"
    r"assessed|assigned|calculated|categori[sz]ed|classified|collected|compared|computed|conducted|defined|determined|"
    r"divided|enrolled|estimated|evaluated|examined|excluded|extracted|followed|given|identified|included|interviewed|"
    r"invited|investigated|measured|monitored|obtained|performed|quantified|randomi[sz]ed|recorded|recruited|retrieved|"
    r"reviewed|sampled|screened|searched|selected|sequenced|studied|tested|treated|used)\b"
    r"|\bwe (?:\w+ly |also |then |first )?(?:administered|analy[sz]ed|applied|assessed|assigned|calculated|collected|"
    r"compared|"
    r"computed|conducted|developed|divided|enrolled|estimated|evaluated|examined|extracted|gave|included|interviewed|"
    r"investigated|measured|obtained|performed|randomi[sz]ed|recruited|retrieved|reviewed|screened|searched|selected|"
    r"studied|tested|used)\b"
    r"|\b(?:in|for) (?:this|the present|our) (?:\w+ ){0,3}(?:study|trial|review|analysis|paper|"
    r"article)\b[^.]{0,40}\bwe\b"
    r"|^(?:a|this|the) (?:\w+[- ]){0,4}(?:study|trial|review|search|survey|analysis) (?:was|included|of|in)\b"
    r"|\b(?:adolescents|adults|animals|children|individuals|infants|men|mice|participants|patients|people|rats|subjects|"
    r"volunteers|women) (?:\w+ly |each |either )?(?:received|took|underwent)\b"
    r"|\bwith a (?:mean|median) age\b|\b(?:inclusion|exclusion) criteria\b|\b(?:primary|secondary) (?:outcome|"
    r"end ?point)s? "
    r"(?:was|were|is|are)\b",
    re.IGNORECASE,
)
# What was found stands beside what was done: "Pain was assessed and fell by 30 %".
_FOUND = re.compile(
    r"\b(?:significan\w+|increas\w+|decreas\w+|reduced|improv(?:ed|es|ements?)|declined|rose|fell|higher|lower|greater|"
    r"fewer|longer|shorter|better|worse|more|less|differed|similar\w*|correlat(?:ed|es)|found|showed|shown|revealed|"
    r"demonstrated|resulted|predict(?:s|ed)|effective|associated|caused|led|occurred|died|survived|developed (?!a\b|"
    r"an\b)|"
    r"experienced|present(?:ed)? (?:in|with))\b|\bp\s?[<=>]|\d\s?%|95\s?% ?CI|\b(?-i:OR|RR|HR|AUC)\b",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"^(?:CONCLUSIONS?|INTERPRETATION|FINDINGS?)\b|^(?:in (?:conclusion|summary)|overall|taken together|collectively|"
    r"to (?:conclude|summari[sz]e)|together)\b|\bwe conclude\b|\b(?:our|these|the|present|this study['’]s) (?:\w+ )?"
    r"(?:data|findings|results?|observations|evidence) (?:\w+ ){0,2}(?:confirm|demonstrate|indicate|provide|reveal|"
    r"show|"
    r"suggest|support|underscore)\w*\b|\b(?:this|our|the present) (?:\w+[- ]){0,3}(?:study|trial|review|meta-analysis|"
    r"analysis) (?:\w+ ){0,2}(?:confirm|demonstrate|found|indicate|provide|reveal|show|suggest|support)\w*\b",
    re.IGNORECASE,
)
# An English sentence that begins so is a question, with or without its mark.
_QUESTION = re.compile(
    rf"^{OPTIONAL_HEADING}(?:Do|Does|Did|Is|Are|Was|Were|Can|Could|Should|Has|Have|Will|Would)\s(?!not\b)"
)


def is_question(text: str) -> bool:
    """Return whether a sentence asks, with or without a question mark."""
    return text.rstrip(" \"'”’)").endswith("?") or bool(_QUESTION.match(text.strip()))


def states_objective(text: str) -> bool:
    """Return whether a sentence states an objective and no result.

    An aim, a plan, a hypothesis or an expectation.
    """
    if states_bare_infinitive(text) or (_OBJECTIVE_SENTENCE.match(text.strip()) and not _FOUND_BESIDE.search(text)):
        return True
    rest = _OBJECTIVE.sub(" ", _LEADING_OBJECTIVE.sub(" ", text))
    return rest != text and not _RESULT.search(rest)


def states_bare_infinitive(text: str) -> bool:
    """Return whether a sentence is an aim without a main clause, such as "To examine the effect of tea on sleep."."""
    if (found := _BARE_INFINITIVE.match(text.strip())) is None:
        return False
    return not (_FINITE.search(text.strip()[found.end() :]) or _FOUND_BESIDE.search(text))


def reports_no_result(text: str) -> bool:
    """Return whether a sentence reports no result.

    It asks, states an aim, says what would follow if something were so, or that something is not known.
    """
    if is_question(text) or states_objective(text) or _CONDITIONAL.match(text.strip()):
        return True
    rest = _OPEN.sub(" ", _OBJECTIVE.sub(" ", text))
    return bool(_OPEN.search(text)) and not _RESULT.search(rest) and not _ASSERTION.search(rest)


def describes_method(text: str) -> bool:
    """Return whether a sentence describes what was done, not what was found."""
    return bool(_METHOD.search(text)) and not _FOUND.search(text)


def draws_conclusion(text: str) -> bool:
    """Return whether a sentence concludes, or says what its findings show."""
    return bool(_CONCLUSION.search(text))


def reports_finding(text: str) -> bool:
    """Return whether a sentence more likely reports a finding, or a conclusion, than background, aims or methods."""
    return role_chances(text).finding >= _LEAST_FINDING_CHANCE or draws_conclusion(text)


def tells_of_study(text: str) -> bool:
    """Return whether a sentence tells what a study aimed at or did, or what is unknown, and likely no finding."""
    chances = role_chances(text)
    return (describes_method(text) or reports_no_result(text)) and chances.finding < max(chances)
