"""What a dossier says of its own, English and Chinese: headings, sentences, columns."""

from collections.abc import Mapping

from refundflow.messages import Sentence

S = Sentence

LABELS: Mapping[str, Sentence] = {
    # head and foot
    "dossier": S("Refund dossier", "退款案卷"),
    "title": S("Refund {refund}", "退款 {refund}"),
    "contents": S("Contents", "目录"),
    "subject": S(
        "{product} ({type}, {usage}), order {order}, line {line}",
        "{product}（{type}，{usage}），订单 {order}，第 {line} 行",
    ),
    "made": S("As of {time} ({zone}).", "截至 {time}（{zone}）。"),
    "for_buyer": S(
        "This copy is for the buyer: internal notes, flags and names of staff are left out.",
        "本案卷供买家阅读：不含内部备注、风险标记和员工姓名。",
    ),
    "for_staff": S(
        "This copy is for staff and auditors: it holds internal notes and names of persons.",
        "本案卷供员工和审计阅读：含内部备注和人员姓名。",
    ),
    "imported_note": S(
        "This case was decided in another system (case {case}) and imported: its moves were not judged here.",
        "本案由其他系统裁决（原案号 {case}）后导入，其流转未经本系统判定。",
    ),
    "rehearsal": S(
        "From a rehearsal database: times and persons were played, nobody was paid.",
        "来自演练数据库：时间和人物均为演练，并无真实付款。",
    ),
    "erased_note": S(
        "Personal texts and evidence of this buyer were erased. The entries stand, and still verify.",
        "该买家的个人文字和证据内容已抹除。记录仍在，且仍可验证。",
    ),
    "erased": S("erased", "已抹除"),
    "unreadable": S("cannot be read, or is not what was given", "无法读取或与提交时不符"),
    "yes": S("yes", "是"),
    "none": S("None.", "无。"),
    # sections
    "summary": S("Summary", "摘要"),
    "way": S("The way through the process", "流转路径"),
    "timeline": S("Timeline", "时间线"),
    "deadlines": S("Deadlines kept and missed", "期限履行情况"),
    "evidence": S("Evidence", "证据材料"),
    "offers": S("Offers", "协商方案"),
    "decisions": S("Decisions and their grounds", "裁决及理由"),
    "payouts": S("Payouts and money", "退款支付与资金"),
    "order": S("The order line", "订单行"),
    "proof": S("Proof, and how to check it", "证明与核验方法"),
    # summary
    "q_claim": S("What was claimed", "申请了什么"),
    "q_decision": S("What was decided, by whom, and why", "谁作出了什么裁决，理由为何"),
    "q_next": S("What can be done, and until when", "还能做什么，到何时为止"),
    "q_money": S("Where the money is", "钱在哪里"),
    "claimed": S(
        "{buyer} claimed {amount} of the {captured} paid for {product} on {time}, because {reason}.",
        "{buyer} 于 {time} 就 {product}（实付 {captured}）申请退款 {amount}，原因：{reason}。",
    ),
    "claimed_returned": S(
        "{buyer} claimed {amount} again for {product} on {time}, because {reason} ({earlier}).",
        "{buyer} 于 {time} 就 {product} 重新申请 {amount}，原因：{reason}（{earlier}）。",
    ),
    "undecided": S("Nothing was decided yet.", "尚未作出裁决。"),
    "withdrawn": S("Nothing was decided: the claim was withdrawn on {time}.", "未作裁决：申请已于 {time} 撤回。"),
    "decided": S("{what} by {who} on {time}.", "{time}，{who}：{what}。"),
    "decided_two": S("{what} by {first} and {who} on {time}.", "{time}，{first} 与 {who} 双人复核：{what}。"),
    "decided_system": S("{what} by the rules on {time}.", "{time}，系统按规则处理：{what}。"),
    "amount": S("Amount: {amount}.", "金额：{amount}。"),
    "counter_accepted": S("counter-offer accepted", "接受买家还价"),
    "decided_elsewhere": S(
        "{what} on {time}, decided in another system and imported.", "{time}：{what}（由其他系统裁决，导入本系统）。"
    ),
    "grounds": S("Grounds: {grounds}.", "理由：{grounds}。"),
    "standing_since": S("The refund is {state} since {time}.", "自 {time} 起，退款状态为：{state}。"),
    # what comes next, by state; {due} is the standing deadline
    "next_submitted": S(
        "The platform reviews the claim by {due}. The buyer may add evidence or withdraw.",
        "平台应于 {due} 前完成审核。买家可以补充证据或撤回申请。",
    ),
    "next_under_review.reviewing": S(
        "The reviewer decides by {due}. The buyer may add evidence or withdraw.",
        "审核人员应于 {due} 前作出裁决。买家可以补充证据或撤回申请。",
    ),
    "next_under_review.negotiating": S(
        "The offer may be accepted, declined or answered until {due}; then it lapses and the review goes on.",
        "当前方案可在 {due} 前接受、拒绝或还价；逾期失效，审核继续。",
    ),
    "next_awaiting_evidence": S(
        "The buyer may bring the evidence asked for until {due}. If nothing comes, the claim is rejected.",
        "买家应于 {due} 前补充所要求的材料；未提交任何材料则申请被驳回。",
    ),
    "next_approved.payable": S(
        "The payout is sent by the system; it is promised by {due}.", "系统将发起退款，承诺于 {due} 前到账。"
    ),
    "next_approved.paying": S(
        "The channel is at work; the payout is promised by {due}.", "渠道正在处理，承诺于 {due} 前到账。"
    ),
    "next_approved.payout_failed": S(
        "Finance finds another way to pay; the payout is promised by {due}.",
        "财务将另行安排付款，承诺于 {due} 前到账。",
    ),
    "next_rejected.appealable": S(
        "The buyer may appeal, with new evidence or an argument, until {due}.",
        "买家可在 {due} 前提交新证据或理由提起申诉。",
    ),
    "next_rejected.closed": S(
        "Nothing more within this process: the rejection is final.", "本流程已结束：驳回为终局。"
    ),
    "next_appealed": S(
        "A second reviewer decides the appeal by {due}. The buyer may add evidence or withdraw.",
        "另一名审核人员应于 {due} 前裁决申诉。买家可以补充证据或撤回申请。",
    ),
    "next_paid_out.settled": S(
        "The buyer may confirm the receipt, or ask where the money is, until {due}; then receipt is assumed.",
        "买家可在 {due} 前确认到账或查询款项；逾期视为已到账。",
    ),
    "next_paid_out.confirmed": S("Nothing more: the case is closed.", "本案已结束，无后续事项。"),
    "next_withdrawn": S(
        "Nothing more: the claim was withdrawn. A new one may be made while the rules allow it.",
        "本申请已撤回；在规则允许的期间内可重新申请。",
    ),
    "next_enquiry": S("The enquiry is answered by {due}.", "到账查询应于 {due} 前答复。"),
    # money
    "m_held": S("{amount} is reserved on the order line. Nothing was paid.", "订单行上预留 {amount}。尚未付款。"),
    "m_nothing": S("Nothing was paid, and nothing is reserved.", "未付款，亦无预留款项。"),
    "m_payable": S("{amount} is approved and will be paid by {channel}.", "已通过 {amount}，将由{channel}退回。"),
    "m_paying": S(
        "{amount} is with {channel} since {time} (number {number}). Its outcome is not known yet.",
        "{amount} 自 {time} 起由{channel}处理（单号 {number}），结果尚未确定。",
    ),
    "m_failed": S(
        "{amount} is approved and not paid: the last payout failed.", "已通过 {amount}，尚未付款：上一次退款失败。"
    ),
    "m_settled": S(
        "{amount} was paid by {channel}, settled on {time} (number {number}).",
        "{amount} 已由{channel}退回，到账时间 {time}（单号 {number}）。",
    ),
    "m_settled_plain": S("{amount} was paid.", "{amount} 已退回。"),
    "m_compensated": S(
        "A compensation of {amount} was granted, as voucher or balance.", "另以代金券或余额补偿 {amount}。"
    ),
    "m_back": S("{amount} came back after the end.", "结案后 {amount} 被退回。"),
    # chart
    "chart_title": S("The chart {chart} with the way of refund {refund}", "状态图 {chart} 及退款 {refund} 的路径"),
    "chart_key": S(
        "Bold arrows: the way taken, numbered in order. Grey: what else the chart allows. In a box: time spent there.",
        "粗箭头：实际路径，按次序编号。灰色：状态图允许的其他流转。框内：停留时间。",
    ),
    "steps": S("The steps", "各步骤"),
    "step": S("{event} → {state}", "{event} → {state}"),
    "steps_more": S("Steps {first} to {last} stand in the timeline.", "第 {first} 至 {last} 步见时间线。"),
    # timeline
    "refused": S("attempt refused", "操作被拒绝"),
    "one_of_two": S("1 of 2 persons", "双人复核：第一人"),
    "pending": S("due, not recorded yet", "已到期，尚未记录"),
    "was_imported": S("imported", "导入"),
    "repeats": S("refused {count} times more before this", "此前另有 {count} 次相同的拒绝"),
    "sets": S("{deadline} until {due}", "{deadline}期限：{due}"),
    "occurred": S("outside: {time}", "外部发生时间：{time}"),
    "hidden": S("Entries that are internal are not shown; the numbers go on.", "内部记录不显示，编号保持连续。"),
    "entry_no": S("entry {seq}", "记录 {seq}"),
    "blocked_until": S("{reason}, until {time}", "{reason}，至 {time} 为止"),
    # deadlines
    "strip_title": S("Deadlines of refund {refund} on a line of time", "退款 {refund} 的期限时间轴"),
    "strip_key": S(
        "Filled: the deadline runs. Outlined: time left when it ended. Hatched: past due.",
        "实心：期限进行中。空心：结束时的剩余时间。斜线：已逾期。",
    ),
    "strip_more": S("The first {count} are drawn; the table has all.", "图中为前 {count} 项，全部见表。"),
    "c_deadline": S("Deadline", "期限"),
    "c_set": S("Set", "起算"),
    "c_due": S("Due", "到期"),
    "c_outcome": S("Outcome", "结果"),
    "t_deadlines": S("Every deadline, and whether it was kept", "各期限及履行情况"),
    "kept": S("kept, {span} to spare", "按时，余 {span}"),
    "used": S("used, {span} left", "已行使，余 {span}"),
    "fell": S("fell away, {span} left", "随之失效，余 {span}"),
    "missed": S("missed by {span}", "逾期 {span}"),
    "missed_open": S("overdue by {span}", "已逾期 {span}"),
    "running": S("running, {span} left", "进行中，余 {span}"),
    "paused": S("clock stopped, {span} to spare", "停钟，余 {span}"),
    "replaced": S("set anew, {span} to spare", "重新设定，余 {span}"),
    "lapsed": S("lapsed unused", "届满未行使"),
    "escalated": S("escalated {count} times", "升级 {count} 次"),
    "escalated_once": S("escalated once", "升级 1 次"),
    "extended": S("extended", "已延长"),
    "provisional": S("provisional", "暂定"),
    # evidence, offers, payouts
    "t_evidence": S(
        "Each file with its SHA-256; below it the commitment by which the chain binds it",
        "每份文件及其 SHA-256；下方为记录链所绑定的承诺值",
    ),
    "c_no": S("No.", "编号"),
    "c_kind": S("Kind", "类型"),
    "c_given": S("Given", "提交"),
    "c_digest": S("SHA-256", "SHA-256"),
    "was_internal": S("internal", "内部"),
    "commitment": S("commitment", "承诺值"),
    "bytes": S("{size} bytes", "{size} 字节"),
    "missing": S("Needed and not brought: {kinds}.", "应提交而未提交：{kinds}。"),
    "asked": S("Asked for now: {kinds}.", "当前要求补充：{kinds}。"),
    "or": S(" or ", "或"),
    "t_offers": S("Offers and counter-offers", "协商方案与还价"),
    "c_who": S("By", "提出人"),
    "c_refund_part": S("Refund", "退款"),
    "c_compensation": S("Compensation", "补偿"),
    "c_when": S("When", "时间"),
    "stands": S("stands", "当前有效"),
    "an_offer": S("offer", "方案"),
    "a_counter": S("counter-offer", "还价"),
    "t_payouts": S("Payout numbers and what became of them", "退款单号及结果"),
    "c_number": S("Number", "退款单号"),
    "c_channel": S("Channel", "渠道"),
    "c_amount": S("Amount", "金额"),
    "c_sent": S("Last sent", "最近发出"),
    "c_reference": S("Proof", "凭证"),
    "void": S("void", "作废"),
    "t_money": S("The money of this refund", "本退款资金"),
    "t_ledger": S("The ledger of the order line", "订单行账目"),
    "t_order": S("Facts that the marketplace, finance and the channel told", "平台、财务与渠道告知的事实"),
    "k_claimed": S("claimed", "申请"),
    "k_approved": S("approved", "通过"),
    "k_reserved": S("reserved", "预留"),
    "k_in_flight": S("in flight", "在途"),
    "k_settled": S("settled", "已到账"),
    "k_captured": S("captured", "实收"),
    "k_charged_back": S("charged back", "拒付"),
    "k_excess": S("excess", "超额"),
    "k_left": S("left to claim", "剩余可退"),
    "other_refunds": S("Other refunds of this line: {refunds}.", "本订单行的其他退款：{refunds}。"),
    "payment": S("Payment {number} by {channel}.", "付款单号 {number}，渠道：{channel}。"),
    # parameters of entries
    "p_abuse_before": S("abuse suspected before", "此前涉嫌滥用"),
    "p_claims_before": S("earlier claims of this buyer", "该买家此前申请次数"),
    "p_amount": S("amount", "金额"),
    "p_answer": S("answer", "答复"),
    "p_audience": S("audience", "可见范围"),
    "p_captured": S("captured", "实收"),
    "p_channel": S("channel", "渠道"),
    "p_chargeback": S("chargeback", "拒付编号"),
    "p_compensation": S("compensation", "补偿"),
    "p_completed_at": S("completed", "完成时间"),
    "p_contact": S("contact", "联系方式"),
    "p_case": S("case there", "原案号"),
    "p_file": S("file (SHA-256)", "文件（SHA-256）"),
    "p_row": S("row of the file", "文件行号"),
    "p_told_role": S("role there", "原角色"),
    "p_told_name": S("person there", "原操作人"),
    "p_told_event": S("event there", "原事件"),
    "p_currency": S("currency", "币种"),
    "p_days": S("days", "天数"),
    "p_deadline": S("deadline", "期限"),
    "p_entry": S("entry of the register", "登记记录"),
    "p_event": S("event", "事件"),
    "p_evidence": S("evidence", "证据"),
    "p_flag": S("flag", "标记"),
    "p_grounds": S("grounds", "理由"),
    "p_how": S("how", "方式"),
    "p_kinds": S("kinds", "类型"),
    "p_name": S("person", "人员"),
    "p_number": S("number", "单号"),
    "p_offer": S("offer", "方案"),
    "p_outcome": S("outcome", "结果"),
    "p_paid_at": S("paid", "付款时间"),
    "p_proof": S("proof", "凭证"),
    "p_reason": S("reason", "原因"),
    "p_refund": S("refund", "退款"),
    "p_returned": S("payout that came back", "被退回的退款"),
    "p_rule": S("rule", "规则"),
    "p_to": S("to", "承办人"),
    "p_usage": S("usage", "使用状态"),
    "p_valid_from": S("valid from", "有效期自"),
    "p_valid_to": S("valid to", "有效期至"),
    "p_was": S("was", "原为"),
    "p_due_at": S("due", "到期"),
    # proof
    "proof_intro": S(
        "Every step above is an entry of a chain: it holds the SHA-256 of the one before, so that none can be changed, "
        "removed or put in between without breaking every later one. Each entry in the timeline shows the first "
        "digits of its own hash.",
        "以上每一步都是记录链中的一条记录，含前一条的 SHA-256；任何修改、删除或插入都会使其后各条不再吻合。"
        "时间线中每条记录旁为其自身哈希的前几位。",
    ),
    "c_chain": S("Chain", "记录链"),
    "c_entries": S("Entries", "记录数"),
    "c_shown": S("Shown here", "此处显示"),
    "c_head": S("Hash of the newest entry", "最新记录的哈希"),
    "c_rules": S("Rules", "规则版本"),
    "rules_chart": S("chart {version}", "状态图 {version}"),
    "rules_policy": S("policy {version}", "策略 {version}"),
    "t_proof": S("What this page rests on", "本页所依据的记录"),
    "c_checkpoint": S("Checkpoint", "检查点"),
    "checkpoint": S(
        "The log had {size} entries when its newest checkpoint was made on {time}. Their root: {root}",
        "最新检查点于 {time} 生成，当时日志共 {size} 条记录，根哈希：{root}",
    ),
    "covered": S("The first {covered} entries of this refund are among them.", "本退款的前 {covered} 条记录均在其中。"),
    "newer": S("Newer, and not under it yet: {newer}.", "另有 {newer} 条更新的记录尚未纳入。"),
    "unsigned": S("Nobody has signed this checkpoint.", "该检查点未签名。"),
    "no_checkpoint": S(
        "No checkpoint binds these entries yet. The hash above binds them to the chain in the database.",
        "尚无检查点涵盖这些记录。上述哈希将其与数据库中的记录链绑定。",
    ),
    "check_title": S("How to check", "核验方法"),
    "check_database": S(
        "Whoever has access to the database verifies every chain, and compares the newest entry with the hash above.",
        "可访问数据库时：验证所有记录链，并将最新记录与上述哈希比对。",
    ),
    "check_proof": S(
        "Whoever does not trust the database takes a proof of every entry, and checks it elsewhere with the public key "
        "alone.",
        "不信任数据库者：取得每条记录的证明，仅凭公钥在别处核验。",
    ),
    "check_export": S(
        "Whoever has not takes an export and checks it on another machine; the SHA-256 of each row's body is its hash.",
        "不可访问时：导出记录，在另一台机器上核对文件；每行 body 的 SHA-256 即其哈希。",
    ),
    "check_evidence": S(
        "Evidence: the SHA-256 of the file that you hold must be the one in the table.",
        "证据：您所持文件的 SHA-256 应与表中一致。",
    ),
}
