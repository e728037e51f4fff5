"""The coded lists in words, English and Chinese: events, reasons, grounds, kinds, roles and what becomes of things."""

from collections.abc import Mapping

from refundflow.messages import Language, Sentence

S = Sentence

EVENTS: Mapping[str, Sentence] = {
    # review
    "submit": S("claim submitted", "提交退款申请"),
    "auto_reject": S("rejected at once", "系统即时驳回"),
    "begin_review": S("review begun", "开始审核"),
    "approve": S("approved", "审核通过"),
    "reject": S("rejected", "驳回"),
    "withdraw": S("withdrawn", "撤回申请"),
    "review_overdue": S("review overdue", "审核逾期"),
    # evidence
    "request_evidence": S("evidence asked for", "要求补充材料"),
    "provide_evidence": S("evidence provided", "补充材料"),
    "end_request": S("request for evidence ended", "结束补充材料"),
    "evidence_lapsed": S("time for evidence over", "补充材料期限届满"),
    "add_evidence": S("evidence added", "添加证据材料"),
    # negotiation
    "offer": S("offer made", "提出协商方案"),
    "counter_offer": S("counter-offer made", "还价"),
    "accept_offer": S("offer accepted", "接受协商方案"),
    "decline_offer": S("offer declined", "拒绝协商方案"),
    "offer_lapsed": S("offer lapsed", "协商方案到期失效"),
    # appeal
    "appeal": S("appealed", "提起申诉"),
    "appeal_window_closed": S("time for an appeal over", "申诉期届满"),
    "uphold": S("rejection upheld", "维持驳回"),
    "overturn": S("rejection overturned", "改判通过"),
    "appeal_overdue": S("appeal overdue", "申诉审核逾期"),
    # payout
    "dispatch_payout": S("payout sent", "发起退款"),
    "payout_settled": S("payout settled", "退款到账"),
    "payout_refused": S("payout refused", "渠道拒绝退款"),
    "retry_payout": S("payout tried again", "重试退款"),
    "reroute_payout": S("payout by another channel", "更换退款渠道"),
    "pay_manually": S("payment by hand", "人工打款"),
    "payout_reversed": S("payout came back", "退款被退回"),
    "late_reversal": S("payout came back after the end", "结案后退款被退回"),
    "revoke_approval": S("approval revoked", "撤销通过"),
    "void_attempt": S("payout number void", "退款单号作废"),
    "payout_overdue": S("payout overdue", "退款逾期"),
    "handed_to_finance": S("handed to finance", "移交财务"),
    "raise_enquiry": S("enquiry raised", "发起到账查询"),
    "answer_enquiry": S("enquiry answered", "答复到账查询"),
    "enquiry_overdue": S("answer to the enquiry overdue", "查询答复逾期"),
    "confirm_receipt": S("receipt confirmed", "确认到账"),
    "receipt_assumed": S("receipt assumed", "视为已到账"),
    # beside the chart
    "assign": S("assigned", "指派承办人"),
    "flag_risk": S("flagged as a risk", "标记风险"),
    "note": S("note", "备注"),
    "take_back": S("first of two taken back", "撤回第一人确认"),
    "first_fell": S("first of two fell", "第一人确认失效"),
    "extend": S("deadline extended", "延长期限"),
    "deadline_recomputed": S("deadline counted again", "按新日历重算期限"),
    "effect_discarded": S("message given up", "放弃对外事项"),
    "migrated": S("moved to another chart", "迁移状态图版本"),
    "imported": S("imported", "导入"),
    "erased": S("personal data erased", "抹除个人信息"),
    # facts of the order line
    "registered": S("order registered", "登记订单"),
    "paid": S("paid", "付款"),
    "completed": S("completed", "交易完成"),
    "captured": S("amount captured changed", "实收金额变更"),
    "usage_recorded": S("usage recorded", "记录使用状态"),
    "validity": S("validity told", "登记有效期"),
    "stray_payment": S("payment that nobody asked for", "意外付款"),
    "stray_payment_returned": S("payment that nobody asked for came back", "意外付款被退回"),
    "excess_resolved": S("excess resolved", "处理超额款项"),
    "resolved_came_back": S("what had been resolved came back", "已处理的款项被退回"),
    "chargeback_opened": S("chargeback opened", "拒付争议开启"),
    "chargeback_closed": S("chargeback closed", "拒付争议结束"),
}
REASONS: Mapping[str, Sentence] = {
    "WRONG_FACE_VALUE": S("the face value is wrong", "面值不符"),
    "RIGHTS_NOT_AS_DESCRIBED": S("the rights are not as described", "权益与描述不符"),
    "WRONG_PRODUCT": S("it is another product", "商品错误"),
    "CODE_INVALID": S("the code is invalid", "卡密无效"),
    "CODE_ALREADY_USED": S("the code was already used", "卡密已被使用"),
    "CREDITED_WRONG_ACCOUNT": S("it was credited to another account", "充错账号"),
    "NOT_DELIVERED": S("it was not delivered", "未发货"),
    "NOT_PROVISIONED": S("it was not provisioned", "服务未开通"),
    "CANNOT_LOG_IN": S("the account cannot log in", "账号无法登录"),
    "SERVICE_INTERRUPTED": S("the service was interrupted", "服务中断"),
    "MINOR_SPENDING": S("a minor spent the money", "未成年人消费"),
    "FRAUD": S("it was fraud", "欺诈"),
    "DUPLICATE_PAYMENT": S("it was paid twice", "重复付款"),
    "PAYOUT_RETURNED": S("an earlier payout came back", "此前的退款被退回"),
    "NO_LONGER_NEEDED": S("it is no longer needed", "不再需要"),
    "OTHER": S("there is another reason", "其他原因"),
}
GROUNDS: Mapping[str, Sentence] = {
    "OUT_OF_WINDOW": S("claimed after the claim window", "超过申请期"),
    "ALREADY_ACTIVATED": S("the goods are activated", "商品已激活"),
    "ALREADY_CONSUMED": S("the goods are consumed", "商品已消耗"),
    "DELIVERY_PROVEN": S("delivery is proven", "已证实交付"),
    "EVIDENCE_MISSING": S("the evidence asked for is missing", "缺少所需证据"),
    "EVIDENCE_INCONSISTENT": S("the evidence contradicts itself or the records", "证据不一致"),
    "BUYER_INPUT_ERROR": S("the buyer's own mistake", "买家自身操作失误"),
    "NOT_COVERED": S("not covered by the rules", "不在可退范围"),
    "ABUSE_SUSPECTED": S("abuse is suspected", "涉嫌滥用"),
    "CHARGEBACK_OPEN": S("a chargeback is open", "拒付争议未结"),
    "NO_NEW_GROUND": S("no new ground was brought", "未提出新理由"),
}
EVIDENCE: Mapping[str, Sentence] = {
    "activation_record": S("activation record", "激活记录"),
    "login_log": S("login log", "登录日志"),
    "provisioning_record": S("provisioning record", "开通记录"),
    "topup_record": S("top-up record", "充值记录"),
    "usage_meter": S("usage meter", "用量记录"),
    "service_monitor_log": S("service monitor log", "服务监控日志"),
    "screenshot": S("screenshot", "截图"),
    "chat_log": S("chat log", "聊天记录"),
    "platform_promise": S("promise of the platform", "平台承诺"),
    "payment_proof": S("proof of payment", "付款凭证"),
    "listing_snapshot": S("snapshot of the listing", "商品页快照"),
    "identity_proof": S("proof of identity", "身份证明"),
    "guardianship_proof": S("proof of guardianship", "监护关系证明"),
    "police_report": S("police report", "报警回执"),
    "statement": S("statement", "书面说明"),
    "other": S("other", "其他"),
}
PRODUCTS: Mapping[str, Sentence] = {
    "game_card": S("game card", "游戏点卡"),
    "game_item": S("game item", "游戏道具"),
    "game_topup": S("game top-up", "游戏充值"),
    "membership": S("membership", "会员"),
    "software_licence": S("software licence", "软件许可"),
    "software_account": S("software account", "软件账号"),
    "virtual_hosting": S("virtual hosting", "虚拟主机"),
    "phone_topup": S("phone top-up", "话费充值"),
    "gift_card": S("gift card", "礼品卡"),
    "other": S("other", "其他"),
}
USAGES: Mapping[str, Sentence] = {
    "unused": S("unused", "未使用"),
    "activated": S("activated", "已激活"),
    "partly_used": S("partly used", "部分使用"),
    "used": S("used", "已使用"),
    "unknown": S("usage unknown", "使用状态未知"),
}
ROLES: Mapping[str, Sentence] = {
    "buyer": S("buyer", "买家"),
    "service": S("marketplace", "平台"),
    "agent": S("agent", "客服"),
    "supervisor": S("supervisor", "主管"),
    "finance": S("finance", "财务"),
    "auditor": S("auditor", "审计"),
    "channel": S("channel", "支付渠道"),
    "system": S("system", "系统"),
}
CHANNELS: Mapping[str, Sentence] = {
    "alipay": S("Alipay", "支付宝"),
    "wechat_pay": S("WeChat Pay", "微信支付"),
    "stripe": S("Stripe", "Stripe"),
    "balance": S("balance", "余额"),
    "bank_manual": S("bank transfer by hand", "人工银行转账"),
    "fake": S("fake channel", "模拟渠道"),
}
ANSWERS: Mapping[str, Sentence] = {
    "CHANNEL_PROCESSING": S("the channel is still at work", "渠道处理中"),
    "ARRIVED_PER_CHANNEL": S("arrived, as the channel says", "渠道显示已到账"),
    "BUYER_ACCOUNT_LIMIT": S("the buyer's account is at its limit", "买家账户受限额"),
    "BUYER_ACCOUNT_ABNORMAL": S("the buyer's account is abnormal", "买家账户异常"),
    "BANK_RETURNED": S("the bank returned it", "银行退回"),
    "BEING_RETRIED": S("it is being tried again", "正在重试"),
}
DEADLINES: Mapping[str, Sentence] = {
    "review": S("review", "审核"),
    "evidence": S("evidence from the buyer", "买家补充材料"),
    "offer": S("answer to the offer", "答复协商方案"),
    "appeal_window": S("time for an appeal", "申诉期"),
    "appeal_review": S("decision on the appeal", "申诉审核"),
    "payout": S("payout", "退款支付"),
    "receipt": S("confirmation of receipt", "确认到账"),
    "enquiry": S("answer to the enquiry", "答复到账查询"),
}
ATTEMPTS: Mapping[str, Sentence] = {
    "open": S("with the channel", "渠道处理中"),
    "settled": S("settled", "已到账"),
    "refused": S("refused", "被拒绝"),
    "reversed": S("came back", "被退回"),
    "stray": S("paid without being asked for", "意外付款"),
    "returned": S("returned", "已归还"),
    "unanswered": S("no answer, overtaken by another number", "未获答复，已由其他单号付款"),
}
ENDS: Mapping[str, Sentence] = {
    "accepted": S("accepted", "已接受"),
    "declined": S("declined", "已拒绝"),
    "lapsed": S("lapsed", "已到期失效"),
    "countered": S("answered by a counter-offer", "买家已还价"),
    "withdrawn": S("fell with the claim", "随申请撤回而失效"),
    "revoked": S("revoked", "已撤销"),
}
OUTCOMES: Mapping[str, Sentence] = {
    "won": S("won", "胜诉"),
    "lost": S("lost", "败诉"),
    "returned": S("returned by the buyer", "买家已归还"),
    "written_off": S("written off", "已核销"),
}
AUDIENCES: Mapping[str, Sentence] = {
    "internal": S("internal", "内部"),
    "buyer": S("for the buyer", "买家可见"),
}
PHASES: Mapping[str, Sentence] = {
    "submitted": S("submitted", "已提交"),
    "under_review": S("under review", "审核"),
    "awaiting_evidence": S("awaiting evidence", "待补充材料"),
    "approved": S("approved", "已通过"),
    "rejected": S("rejected", "驳回"),
    "appealed": S("appealed", "申诉中"),
    "paid_out": S("paid out", "到账"),
    "withdrawn": S("withdrawn", "已撤回"),
}
# A leaf inside the box of its phase.
LEAVES: Mapping[str, Sentence] = {
    "submitted": S("submitted", "已提交"),
    "under_review.reviewing": S("reviewing", "审核中"),
    "under_review.negotiating": S("negotiating", "协商中"),
    "awaiting_evidence": S("awaiting evidence", "待补充材料"),
    "approved.payable": S("to be paid", "待退款"),
    "approved.paying": S("being paid", "退款中"),
    "approved.payout_failed": S("payout failed", "退款失败"),
    "rejected.appealable": S("can be appealed", "可申诉"),
    "rejected.closed": S("closed", "已驳回"),
    "appealed": S("appealed", "申诉中"),
    "paid_out.settled": S("settled", "已到账"),
    "paid_out.confirmed": S("confirmed", "已确认"),
    "withdrawn": S("withdrawn", "已撤回"),
}


def word(words: Mapping[str, Sentence], code: str, language: Language = "en") -> str:
    """Say a code in words; one that the list does not know stands as it is."""
    found = words.get(code)
    return code if found is None else str(getattr(found, language))
