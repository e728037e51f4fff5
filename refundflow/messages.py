"""What people read: one table code → sentence in English and Chinese, and the words for states."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from states import codes

Language = Literal["en", "zh"]


class Sentence(NamedTuple):
    """One sentence in both languages; `{name}`, `{name:money}`, `{name:state}` stand for parameters."""

    en: str
    zh: str


_REASONS, _GROUNDS, _KINDS = (", ".join(words) for words in (codes.REASONS, codes.GROUNDS, codes.EVIDENCE_KINDS))

BLOCKERS: Mapping[str, Sentence] = {
    # general
    "WRONG_STATE": Sentence(
        "this is not possible while the refund is {state:state}", "退款处于 {state:state}，不能进行此操作"
    ),
    "KEY_REUSED": Sentence("this key was already used for another request: {event}", "该幂等键已用于另一请求：{event}"),
    "SECOND_PERSON_NEEDED": Sentence(
        "a second person is needed: {first} cannot be both", "需要另一人复核：{first} 不能兼任两人"
    ),
    "CLAIMANT_DECIDES": Sentence(
        "{name} made this claim or acted for the claimant, and cannot decide it",
        "{name} 是申请人或其代办人，不能裁决",
    ),
    "DECIDED_IN_REVIEW": Sentence(
        "{name} decided in the review; another person decides the appeal",
        "{name} 已在审核中裁决，申诉须由他人裁决",
    ),
    "CHARGEBACK_OPEN": Sentence("a chargeback is open: {ids}", "存在未结的拒付：{ids}"),
    "NOT_COVERED_BY_LINE": Sentence(
        "the order line does not cover {amount:money}: {available:money} available, {excess:money} in excess",
        "订单行不足以支付 {amount:money}：可用 {available:money}，超额 {excess:money}",
    ),
    "CURRENCY_NOT_CONFIGURED": Sentence(
        "the policy has no numbers for {currency}: set {key}", "策略未配置币种 {currency}：请设置 {key}"
    ),
    "ROLE_NOT_ALLOWED": Sentence("only these roles may do this: {roles}", "仅限以下角色：{roles}"),
    "NOT_REGISTERED": Sentence(
        "{name} is not registered for this role; a supervisor registers persons (staff add), the first one himself",
        "{name} 未登记此角色；由主管登记人员（staff add），首位主管自行登记",
    ),
    # submit, check
    "NOT_COMPLETED": Sentence(
        "the order is not completed; reasons that need no completion: {reasons}",
        "订单尚未完成；无需完成的原因：{reasons}",
    ),
    "NOT_PAID": Sentence("the order is not paid", "订单尚未付款"),
    "UNKNOWN_REASON": Sentence(
        f"no such reason: {{reason}}; one of {_REASONS}", f"没有此退款原因：{{reason}}；可用：{_REASONS}"
    ),
    "REASON_NOT_FOR_PRODUCT": Sentence(
        "the reason {reason} does not apply to {product}", "原因 {reason} 不适用于商品类型 {product}"
    ),
    "ALREADY_CONSUMED": Sentence(
        "not accepted while the usage of the goods is {usage}", "商品使用状态为 {usage}，不予受理"
    ),
    "TEXT_REQUIRED": Sentence(
        "a text is required: the note of a claim, the message of a decision",
        "必须填写说明：申请的 note，决定的 message",
    ),
    "AMOUNT_NOT_POSITIVE": Sentence(
        "the amount must be above zero, not {amount:money}", "金额必须大于零，而非 {amount:money}"
    ),
    "AMOUNT_EXCEEDS_LEFT": Sentence(
        "{amount:money} is more than the {left:money} left on the order line",
        "{amount:money} 超过订单行剩余的 {left:money}",
    ),
    "REFUND_IN_PROGRESS": Sentence(
        "refund {refund} is still in progress ({state:state}) on this order line",
        "该订单行的退款 {refund} 仍在处理（{state:state}）",
    ),
    "CLAIM_LIMIT_REACHED": Sentence(
        "{count} of {limit} claims on this order line are used", "该订单行已申请 {count} 次，上限 {limit} 次"
    ),
    "CLAIM_TOO_LATE": Sentence(
        "the {days} days for a claim ended at {ended_at}", "{days} 天的申请期限已于 {ended_at} 结束"
    ),
    "CHANNEL_WINDOW_OVER": Sentence(
        "{channel} takes no refund of this payment since {ended_at}",
        "{channel} 自 {ended_at} 起不再受理此笔付款的退款",
    ),
    "SETTLED_BY_OFFER": Sentence(
        "the same reason was settled by an accepted offer in {refund}", "同一原因已在 {refund} 中协商解决"
    ),
    "RETURNED_PAYMENT_UNKNOWN": Sentence(
        "no returned payment of {refund} is known that was not yet claimed",
        "未发现 {refund} 有尚未申领的退回款项",
    ),
    # evidence
    "KINDS_REQUIRED": Sentence("name at least one kind of evidence", "至少指明一种证据"),
    "UNKNOWN_KIND": Sentence(
        f"no such kind of evidence: {{kinds}}; one of {_KINDS}", f"没有此证据类型：{{kinds}}；可用：{_KINDS}"
    ),
    "EVIDENCE_ROUNDS_USED": Sentence(
        "evidence was already asked for {used} of {limit} times", "已要求补充材料 {used} 次，上限 {limit} 次"
    ),
    "EVIDENCE_INCOMPLETE": Sentence(
        "still missing: {missing}; to go on without it, say that this is all there is (--all)",
        "仍缺少：{missing}；如无更多材料，请声明“这是全部”（--all）",
    ),
    "MEDIA_TYPE_NOT_ALLOWED": Sentence(
        "{type} is not accepted; accepted: {allowed}", "不接受 {type}；可接受：{allowed}"
    ),
    "FILE_TOO_LARGE": Sentence(
        "the file has {size} bytes, at most {limit} are accepted", "文件 {size} 字节，上限 {limit} 字节"
    ),
    "TOO_MANY_FILES": Sentence("{count} files, at most {limit} are accepted", "{count} 个文件，上限 {limit} 个"),
    "REASON_REQUIRED": Sentence("a reason is required", "必须说明理由"),
    # offers
    "OFFER_ROUNDS_USED": Sentence(
        "{used} of {limit} rounds of offers are used", "协商已进行 {used} 轮，上限 {limit} 轮"
    ),
    "AMOUNT_NEGATIVE": Sentence("the amount must not be below zero: {amount:money}", "金额不得为负：{amount:money}"),
    "AMOUNT_EXCEEDS_CLAIM": Sentence(
        "{amount:money} is more than the claim of {limit:money}", "{amount:money} 超过申请金额 {limit:money}"
    ),
    "OFFER_EMPTY": Sentence("an offer needs a refund part or a compensation", "报价须含退款或补偿"),
    "COMPENSATION_ABOVE_LIMIT": Sentence(
        "a compensation of {amount:money} is above the limit of {limit:money}",
        "补偿 {amount:money} 超过上限 {limit:money}",
    ),
    "COUNTER_ALREADY_MADE": Sentence("offer {offer} was already answered by a counter-offer", "报价 {offer} 已有还价"),
    "OFFER_NOT_STANDING": Sentence(
        "offer {named} does not stand; the standing one is {standing}",
        "报价 {named} 已失效；当前有效的是 {standing}",
    ),
    "OWN_OFFER": Sentence("nobody accepts or declines his own offer ({offer})", "不能接受或拒绝自己的报价（{offer}）"),
    "USAGE_CHANGED": Sentence(
        "the usage was {then} when the offer was made and is {now} now", "报价时使用状态为 {then}，现为 {now}"
    ),
    # deciding
    "PARTLY_USED": Sentence(
        "partly used: offer the pro-rata amount of {pro_rata_minor:money} instead of approving the whole",
        "已部分使用：请按比例 {pro_rata_minor:money} 协商，不能全额通过",
    ),
    "ALREADY_ACTIVATED": Sentence("the goods are activated", "商品已激活"),
    "ABOVE_SMALL_CLAIM": Sentence(
        "above the small claims of at most {limit:money} that need no person",
        "超过可自动通过的小额上限 {limit:money}",
    ),
    "RISK_FLAGGED": Sentence("flagged as a risk: {flags}", "已标记风险：{flags}"),
    "CHARGEBACK_SEEN": Sentence("there was a chargeback on this order line", "该订单行曾有拒付"),
    "GROUND_REQUIRED": Sentence(
        f"at least one ground is required: one of {_GROUNDS}", f"至少给出一条理由代码：{_GROUNDS}"
    ),
    "UNKNOWN_GROUND": Sentence(
        f"no such ground: {{grounds}}; one of {_GROUNDS}", f"没有此理由代码：{{grounds}}；可用：{_GROUNDS}"
    ),
    "EVIDENCE_UNREAD": Sentence(
        "there are {count} pieces of evidence that a person must read first", "有 {count} 份证据须先由人阅读"
    ),
    "NO_NEW_GROUND": Sentence(
        "an appeal needs evidence given since the rejection, or an argument of at least a sentence",
        "申诉须有驳回后提交的新证据，或至少一句理由",
    ),
    # payouts
    "CHANNEL_SPACING": Sentence(
        "the channel wants a pause between refunds of one payment", "渠道要求同一付款的退款之间留有间隔"
    ),
    "CHANNEL_COUNT_USED": Sentence(
        "{count} of {limit} refunds of this payment are used at the channel",
        "该付款在渠道已退 {count} 次，上限 {limit} 次",
    ),
    "PROOF_PENDING": Sentence(
        "a proof of payment waits for its second person (first: {first})",
        "付款证明等待第二人确认（第一人：{first}）",
    ),
    "PROOF_REQUIRED": Sentence("a proof is required", "必须提供证明"),
    "FAILURE_NOT_LASTING": Sentence("time will lift this failure; it is no refusal", "该失败会随时间解除，不是拒绝"),
    "NUMBER_VOID": Sentence("the number {number} is void", "号码 {number} 已作废"),
    "RETRIES_USED": Sentence("{used} of {limit} automatic retries are used", "自动重试已用 {used} 次，上限 {limit} 次"),
    "NUMBER_NOT_VOID": Sentence(
        "these numbers may still pay, and must be void first: {numbers}",
        "以下号码仍可能付款，须先作废：{numbers}",
    ),
    "CHANNEL_REQUIRED": Sentence("name the channel of the new payout", "请指明新的付款渠道"),
    "UNKNOWN_NUMBER": Sentence("no such payout number: {number}", "没有此付款号码：{number}"),
    "NUMBER_IN_FLIGHT": Sentence("the number {number} is in flight", "号码 {number} 正在付款中"),
    "MANUAL_CHANNEL": Sentence(
        "{channel} is paid by hand, never by the system", "{channel} 只能人工付款，系统不会自动付款"
    ),
    "NUMBER_PAID": Sentence("the number {number} has paid", "号码 {number} 已付款"),
    # the rest
    "ENQUIRY_OPEN": Sentence("an enquiry is already open", "已有未答复的查询"),
    "PROMISE_NOT_BROKEN": Sentence("the promised time is not over yet", "承诺时间尚未到"),
    "NO_OPEN_ENQUIRY": Sentence("no enquiry is open", "没有未答复的查询"),
    "ANSWER_CODE_REQUIRED": Sentence("an answer code is required: {codes}", "必须给出答复代码：{codes}"),
    "NOTHING_TO_TAKE_BACK": Sentence("there is nothing of yours to take back", "没有可撤回的第一确认"),
    "EXTENSION_NOT_ALLOWED": Sentence(
        "{deadline} cannot be extended like this; at the latest to {latest}",
        "{deadline} 不能如此延长；最晚至 {latest}",
    ),
    "OUTCOME_REQUIRED": Sentence("say how it ended: {allowed}", "须说明结果：{allowed}"),
    "NO_EXCESS": Sentence("the order line has no excess", "该订单行没有超额"),
}

STATES: Mapping[str, Sentence] = {
    "submitted": Sentence("submitted", "已提交"),
    "under_review.reviewing": Sentence("under review", "审核中"),
    "under_review.negotiating": Sentence("negotiating", "协商中"),
    "awaiting_evidence": Sentence("awaiting evidence", "待补充材料"),
    "approved.payable": Sentence("approved, to be paid", "已通过，待退款"),
    "approved.paying": Sentence("approved, being paid", "退款中"),
    "approved.payout_failed": Sentence("approved, payout failed", "退款失败"),
    "rejected.appealable": Sentence("rejected, can be appealed", "已驳回，可申诉"),
    "rejected.closed": Sentence("rejected", "已驳回"),
    "appealed": Sentence("appealed", "申诉中"),
    "paid_out.settled": Sentence("paid out", "已到账"),
    "paid_out.confirmed": Sentence("paid out, confirmed", "已确认"),
    "withdrawn": Sentence("withdrawn", "已撤回"),
}


class _Slots(dict[str, "_Slot"]):
    """Parameters of a sentence; one that the refusal does not carry is shown as a dash."""

    def __missing__(self, key: str) -> "_Slot":
        return _Slot(None, str, "en")


class _Slot:
    """One parameter that knows how it is written: lists with commas, amounts as money, states in words."""

    def __init__(self, value: Any, money: Callable[[int], str], language: Language) -> None:
        self.value = value
        self.money = money
        self.language = language

    def __format__(self, form: str) -> str:
        if self.value is None or self.value == "":
            return "–"
        if form == "money" and isinstance(self.value, int):
            return self.money(self.value)
        if form == "state":
            return state_words(str(self.value), self.language)
        if isinstance(self.value, list | tuple):
            return ", ".join(map(str, self.value)) or "–"
        return str(self.value)


def sentence(
    code: str,
    params: Mapping[str, Any],
    *,
    language: Language = "en",
    money: Callable[[int], str] = str,
) -> str:
    """Say a blocker in words; a code without a sentence is said as it stands, with its parameters.

    `money` writes an amount of minor units; without it amounts are bare numbers of minor units.
    """
    found = BLOCKERS.get(code)
    if found is None:
        return " ".join([code, *(f"{name}={value}" for name, value in params.items())])
    slots = _Slots({name: _Slot(value, money, language) for name, value in params.items()})
    return getattr(found, language).format_map(slots)  # type: ignore[no-any-return]


def state_words(state: str, language: Language = "en") -> str:
    """Say a state in words, e.g. ``approved.paying`` → "approved, being paid"."""
    found = STATES.get(state)
    return state if found is None else str(getattr(found, language))
