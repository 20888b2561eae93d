"""Wordings: how upstreams put what the usual rules read, as regular expressions that are searched without regard to case.

Each is anchored or bounded, so that no message takes long to search.
"""

from __future__ import annotations

from collections.abc import Mapping

from freeride_core.call import Feature

_START = r"(?s)\A"

# Too long. There are more wordings than a list can hold: what they share is a number of tokens and a bound.
_NUMBER = r"\d[\d,._]{2,}"
_BOUND = (
    r"(?:exceed|maximum|\bmax\b|limit|at most|up to|(?:less|fewer|more|longer|larger|greater|higher) than|over\b"
    r"|too (?:long|large|many|big)|<=?|>|no more)"
)
_PROMPT = r"(?:\b|_)(?:inputs?|prompts?|context|requests?|messages?|sequence|conversation|text)(?:\b|_)"
_MAX_OUTPUT = r"\b(?:max_(?:completion_|new_|output_)?tokens|completion tokens|output tokens)\b"
_ONLY_OF_OUTPUT = (
    rf"(?:(?!\b(?:inputs?|prompts?|context)\b|\+).)*{_MAX_OUTPUT}.{{0,40}}"
    r"(?:is too|must|should|cannot|exceeds?|larger|greater|at most|above|between|:)"
)
_PER_TIME = r"per (?:second|minute|min|hour|day|month)\b|\b[TR]P[MD]\b"
_COUNTED = (
    rf"{_START}(?=.*\btokens?\b)(?=.*{_NUMBER})(?=.*{_BOUND})(?=.*{_PROMPT})(?!.*(?:{_PER_TIME}))(?!{_ONLY_OF_OUTPUT})"
)
_CONTEXT = r"context[ _](?:length|window|size|limit)"
_IDIOMS = (
    rf"(?:maximum|max) {_CONTEXT}|model(?:'s)? {_CONTEXT} of \d|exceed\w*.{{0,60}}\b{_CONTEXT}"
    rf"|{_CONTEXT}.{{0,60}}(?:exceed|overflow|too (?:small|long))|(?:longer|larger|greater) than.{{0,40}}\b{_CONTEXT}"
    r"|context overflow"
    r"|(?:prompt|input|conversation|context|request)(?: text| length)? (?:is |are |was )?too long(?!.{0,40}character)"
    r"|too many (?:input |prompt )?tokens|input token count|reduce the length of (?:the|your|either|messages|prompt)\b"
    r"|(?:prompt|input)s? (?:length )?exceeds? (?:the )?max(?:imum)?(?: \w+)? length|range of input length should be"
    r"|model token limit|too large for (?:the )?model|longer than the maximum model length"
    r"|(?:prompt|input|输入|上下文|长度).{0,10}(?:超长|过长|超过|超出)"
)
TOO_LONG = rf"{_COUNTED}|(?:{_IDIOMS})"
TOO_LONG_AND_SAYS_HOW_MUCH = rf"{_START}(?=.*(?:{_IDIOMS}))(?:.*\d|.*exceeds the {_CONTEXT})"
"""Of a status that upstreams in trouble give too."""

# A flagged account is another matter: with another key the request may be answered.
FILTERED = (
    rf"{_START}(?!.*\baccount\b).*(?:\b(?:input|prompt|content|messages?|request|text)\b.{{0,20}}\bflagged\b"
    r"|content (?:policy|filter|management policy)|\bmoderation (?:policy|filter)|by (?:the |our )?moderation"
    r"|\b(?:unsafe|sensitive|inappropriate|harmful|prohibited) (?:or \w+ )?content"
    r"|\b(?:request|prompt|input) (?:was |is )?blocked"
    r"|prompt injection|(?:our|the) (?:safety|usage) (?:system|filter|guidelines|polic)|敏感内容|不安全)"
)

OVERLOADED = (
    r"\b(?:over|at|no|out of|insufficient) capacity\b|capacity (?:\w+ )?exceeded|\boverloaded\b|high (?:traffic|demand)"
    r"|no capacity available|no more data centers|degraded function"
)

MODEL_IS_GONE = (
    r"\bmodel\b(?:(?!\b(?:tool|function|image|file|url|parameter)s?\b).){0,120}(?:not found|could not be found|does not exist"
    r"|decommissioned|no longer available|end of life|has been retired|was removed|not in the free plan"
    r"|requires a (?:subscription|paid)|not available on your plan)|not a valid model|no such model|unknown model"
    r"|\bmodel not supported by\b|free (?:period|promotion)\b.{0,60}\bended"
)
MODEL_IS_BARRED = (
    r"\b(?:this|that|the requested|the selected) model\b|\bpaid model\b"
    r"|\bmodel\b.{0,80}\b(?:not|n't|isn't) (?:been )?"
    r"(?:approved|allowed|enabled|permitted|authori[sz]ed|accessible|included|available)"
)

# What lasts is read only where the words do not speak of a part of this request.
_FIELD = r"(?:tools?|functions?|schemas?|propert(?:y|ies)|parameters?|arguments?|fields?|messages?\b.{0,3}\[)"
_OF_NO_FIELD = rf"{_START}(?!.*\b{_FIELD})"
NO_BALANCE = (
    rf"{_OF_NO_FIELD}.*(?:insufficient (?:\w+ )?(?:balance|credits?|funds|\w*credits)\b|\b(?:balance|credits?|funds|wallet)\b"
    r".{0,20}\b(?:insufficient|too low|depleted|exhausted|used up|not enough|empty|required|expired)\b"
    r"|(?:not enough|out of|ran out of|run out of|no more|add|buy|purchase) (?:\w+ )?(?:credits?|funds|balance)\b|欠费|余额不足)"
)
SPENT = rf"{_OF_NO_FIELD}.*(?:\bspend(?:ing)? (?:limit|cap)\b|\bbilling (?:hard )?limit\b|\bspent\b.{{0,20}}\blimit)"
_DAY = (
    r"(?:\b(?:per|a|each|this)[ -](?:day|week|month)\b"
    r"|\b(?:daily|weekly|monthly)\b.{0,60}\b(?:limit|quota|allocation|allowance|cap)"
    r"|\btoday's (?:quota|limit)|\btomorrow\b|\b[TR]PD\b|\busage limit\b"
    r"|\b(?:used up|exhausted)\b.{0,40}\b(?:quota|allocation|allowance))"
)
_A_MODEL = r"\bfor (?:this |the |that )?(?:free )?model\b"
OF_A_DAY = rf"{_OF_NO_FIELD}.*{_DAY}"
OF_A_DAY_AND_A_MODEL = rf"{_OF_NO_FIELD}(?=.*{_A_MODEL}).*{_DAY}"
OF_A_MODEL = _A_MODEL
COME_BACK_LATER = r"\bcome back later\b"
RATE_LIMITED = (
    rf"{_OF_NO_FIELD}.*(?:\brate[ -]?limit(?:ed|s|ing)?\b.{{0,30}}\b(?:exceeded|reached|hit)\b|\brate[ -]?limited\b"
    r"|\b(?:exceeded|reached|hit)\b.{0,30}\brate[ -]?limit|too many (?:concurrent )?requests|\brequests? limit (?:exceeded|reached)"
    r"|\bbeing throttled\b|\brequest was throttled|(?:requests|tokens) per minute)"
)

_REFUSED = (
    r"(?:invalid|not valid|incorrect|wrong|expired|revoked|disabled|deactivated|missing|unknown|malformed|refused|rejected"
    r"|not found|not provided|required|blocked|leaked|inactive|denied)"
)
_KEY = r"(?:(?:api|access|bearer|auth|authentication|authorization|secret)[ _-]?(?:key|token)s?|credentials?|authorization header)"
KEY_IS_REFUSED = (
    rf"{_OF_NO_FIELD}.*(?:\b{_KEY}\b.{{0,40}}\b{_REFUSED}\b|\b(?:{_REFUSED}|no|a valid|your)\b.{{0,20}}\b{_KEY}\b"
    r"|\b(?:authentication|authorization) (?:failed|error|required|is required)|\bunauthori[sz]ed\b|\bnot authenticated\b"
    r"|\bunauthenticated\b)"
)
OF_A_KEY = (
    r"\b(?:keys?|(?:\w+ )?(?:invalid|expired|access|auth|bearer|api) tokens?|tokens? (?:is|has|was|does|lacks)|credentials?"
    r"|authenticat\w+|unauthenticated|authori[sz](?:ation|ed)|unauthori[sz]ed|accounts?|organi[sz]ations?|workspaces?|projects?"
    r"|permissions?|subscriptions?|plans?|billing|e-?mail|free tier)\b"
)
ACCOUNT_IS_SHUT_OUT = (
    rf"{_OF_NO_FIELD}.*\b(?:account|organi[sz]ation|workspace|project|tenant|team|billing|subscription)\b.{{0,60}}"
    r"\b(?:restricted|suspended|deactivated|disabled|blocked|banned|terminated|closed|locked|on hold|stopped|frozen|inactive"
    r"|not active|not (?:been )?verified|unverified|flagged|delinquent|not completed|past due|overdue|under review|cancell?ed)\b"
)
COUNTRY_IS_BARRED = r"\b(?:country|location|territory)\b.{0,40}\bnot (?:supported|allowed|available)"

# Only words that say that an ability is missing altogether. A refused value (a number, a name, a type, a format, a size, an
# address, a keyword, a parameter beside it) says nothing of other values.
_CANNOT = (
    r"\b(?:(?:does|do|is|can|could)(?: ?not|n't)(?: \w+ly| yet)?"
    r" (?:support|able to (?:use|handle|see|process)|capable of|handle|accept)"
    r"|lacks?|cannot (?:use|handle|process)|not supporting|no support for|no endpoints found that support)"
)
_THE = r"(?: any| the| use of| native| support for)*"
_QUOTE = r"[`'\"]?"
_KIND_OF = r"(?: (?:parameters?|params?|field|property|feature|capabilit(?:y|ies)|argument|content type))?"
_END = (
    r"(?=\s*(?:\Z|[,;!)\n\"]|\.(?!\w)|:(?!\w)|\((?!\w+=)|currently\b|yet\b|see\b|https?:"
    r"|(?:by|for|in|on|at|with) (?:(?:this|the|that|your) )?(?:\w+ )?(?:model|deployment|endpoint|provider|api|upstream|server)\b"
    r"|(?:by|for) \S*/\S+))"
)
_CLAUSE = (
    r"(?:\A|[.:;,(\n] ?"
    r"|\b(?:that|because|as|since|and|use of|support for|parameters?|params?|field|property|feature|the|error)\s+)"
)
_REFUSED_WHOLLY = (
    r"(?:(?: is| are|:)?(?: currently)? (?:not|unsupported)(?: yet| currently)?"
    r"(?: (?:supported|enabled|available|allowed|implemented))?"
    r"|(?: is|are)n't (?:supported|enabled|available))"
)


def _lacks(noun: str) -> str:
    """Says that what `noun` names is lacking altogether, in either order."""
    named = rf"{_QUOTE}(?:{noun}){_QUOTE}"
    return rf"{_CANNOT}{_THE} {named}{_KIND_OF}{_END}|{_CLAUSE}{named}{_KIND_OF}{_REFUSED_WHOLLY}{_END}"


_CALLING = r"[ _-]?(?:us(?:e|age|ing)|call(?:s|ing)?)"
LACKS: Mapping[Feature, str] = {
    Feature.TOOLS: _lacks(rf"tools?(?:{_CALLING})?|functions?(?:{_CALLING})?|tools? and functions?")
    + r"|requires? --enable-auto-tool-choice",
    Feature.IMAGES: _lacks(
        r"(?:images?|pictures?)(?:[ _-](?:inputs?|contents?|parts?|understanding|data|modality))?|image_url|vision"
        r"|(?:visual|vision|multi-?modal) (?:inputs?|content|capabilities)|multi-?modality|vision or image inputs?"
    )
    + r"|not a multimodal model|at most 0 image|image_url is only supported by certain models"
    r"|unknown variant `image_url`, expected `text`",
    Feature.JSON_SCHEMA: _lacks(
        r"response[ _]format(?:[`'\"]? of type)?(?: [`'\"]?json_schema)?|json_schema|structured outputs?"
        r"|json[ _-]schema response[ _]formats?"
    ),
    Feature.CONTENT_PARTS: r"array' not in 'string'|content.{0,60}(?:must be|expected|should be) a (?:valid )?string",
}

NO_ROUTE = (
    r"\bno (?:\w+ ){0,2}(?:providers?|endpoints?)\b(?! found for\b)|\bproviders? have been ignored"
    r"|routing requirements|could not route"
)
OF_NO_MODEL = (
    rf"{_START}(?=.*\b(?:images?|files?|urls?|documents?|conversations?|responses?|messages?|sessions?|tools?|attachments?)\b"
    r".{0,120}(?:not found|could not be found|does not exist|cannot be found))(?!.*\bmodel\b)"
)

# Where zero itself is refused, the bounds are stricter than the standard's, and others may be content with the request.
_FROM_ZERO = r"(?!.{0,120}(?:(?:>\s*|greater than )0(?:\.0+)?(?![.\d])|positive|\(0|\b0\.0*[1-9]))"
_ABOVE = r"(?:<=?|less than(?: or equal to)?|at most|(?:max\w*|exceeds?)(?: \w+){0,4}|greater than)"
UNFORGIVABLE = (
    (
        rf"\b(?:temperature|(?:presence|frequency)_penalty)\b{_FROM_ZERO}.{{0,60}}"
        rf"(?:{_ABOVE}\s*2\b|between (?:0|-2)(?:\.0+)? and 2\b)"
    ),
    rf"\btop_p\b{_FROM_ZERO}.{{0,60}}(?:{_ABOVE}\s*1\b|between 0(?:\.0+)? and 1\b)",
    # Of the list itself. Upstreams differ in what they want of a message in it.
    (
        r"\bmessages\b(?!\[|\.\w)(?:(?!\b(?:content|message|role)\b).){0,40}(?:required|missing|\bempty|too short"
        r"|at least (?:one|1) (?:message|item|element)|must be an? (?:non-empty )?(?:array|list))|too short - 'messages'"
    ),
)
