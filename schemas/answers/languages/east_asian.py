"""Words of Chinese, Japanese, Korean, Vietnamese and Thai."""

from cotbuild.schemas.answers.languages.language import Language, words

EAST_ASIAN = (
    Language(
        code="zh",
        name="Chinese",
        left_bound=False,
        right_bound=False,
        common=words("的|是|了|在|有|和|为|這|这|不|个|個|们|們|哪|什么|什麼|所以"),
        answer=words(
            "答案|回答|答案选项|答案選項|正确选项|正確選項|正确的选项|正確的選項|正解"
            "|最终结果|最終結果"
        ),
        correct=words(
            "正确|正確|最终|最終|最佳|最后|最後|标准|標準|正确的|正確的|最终的|最終的"
            "|最佳的|最可能的|最合适的|最合適的|合适的|合適的|参考|參考|本题|本題|本题的|本題的|题目|題目|问题的|問題的"
        ),
        wrong=words("错误的|錯誤的|错误|錯誤|不正确的|不正確的|不正确|不正確|有误的"),
        option=words("选项|選項|选|選|选择|選擇|第"),
        about=words("应该|應該|应|應|就|将|將|则|則|便"),
        copulas=words(
            "是|为|為|选|選|选择|選擇|应为|應為|应选|應選|应该是|應該是|就是|便是|是选项"
            "|是選項|为选项|為選項|等于|等於"
        ),
        tails=words("选项|選項|项|項|选|選|这个选项|這個選項|的选项|这一项|。"),
        is_answer=words(
            "是正确答案|是正確答案|为正确答案|為正確答案|是正确的答案|是正確的答案"
            "|是正确选项|是正確選項|是正确的选项|是正確的選項|是最佳答案|是答案|符合题意"
            "|符合題意|为正确选项|是最合适的选项|是最佳选项|是最佳選擇|是最佳选择"
        ),
        is_correct=words("是正确的|是正確的|是对的|是對的"),
        choose=words(
            "故选|故選|应该选|應該選|应当选|應當選|应该选择|應該選擇|应选|應選|本题选|本題選|故本题选|故本題選|因此选|因此選|所以选"
            "|所以選|因此选择|因此選擇|所以选择|所以選擇|故选择|故選擇|应选择|應選擇"
            "|故应选|本题应选|本題應選|综上,选|答案选|答案選|故正确答案为"
        ),
        pick=words("我选|我選|我选择|我選擇|我会选|我會選"),
        so=words(
            "所以|因此|故|因而|综上所述|綜上所述|综上|綜上|于是|於是|由此可见|那么"
        ),
        because=words("因为|因為|由于|由於|理由是|原因是"),
        conditions=words("如果|若|假如|假设|假設|假定|倘若|除非|要是"),
        examples=words("例如|比如|例|示例"),
        negations=words("不|不是|没有|沒有|并非|並非|非|未|无法|無法"),
        that=words("认为|認為|觉得|覺得|确定"),
        limits=words(
            "至少|最多|不超过|不超過|超过|超過|少于|少於|多于|多於|大于|大於|小于|小於|不到"
        ),
        joins=words("或|或者|和|与|與|及|以及|到|至|还是|還是"),
        yes=words(
            "是|是的|对|對|对的|對的|正确|正確|正确的|正確的|肯定|肯定的|可以|会|會|能"
            "|真|成立|有"
        ),
        no=words(
            "否|不是|不|不对|不對|错|錯|错误|錯誤|错误的|錯誤的|不正确|不正確|否定|否定的"
            "|不可以|不会|不會|不能|假|不成立|没有|沒有|不是的|不行"
        ),
        none=words(
            "无|無|都不|没有|沒有|以上都不|未知|不确定|不確定|无法|無法|不能确定|不一定"
            "|取决于|取決於|不存在|均不"
        ),
        scales={
            "百": 2,
            "千": 3,
            "万": 4,
            "萬": 4,
            "百万": 6,
            "百萬": 6,
            "千万": 7,
            "千萬": 7,
            "亿": 8,
            "億": 8,
        },
        question_heads=words("问题|問題|下一题|下一題|题目|題目|用户|用戶|问|問"),
        rationale_heads=words(
            "解释|解釋|解析|分析|推理|理由|解|解答|思考|解题过程|解題過程|逐步解答|推理过程"
        ),
    ),
    Language(
        code="ja",
        name="Japanese",
        left_bound=False,
        right_bound=False,
        common=words("は|の|を|に|が|です|ます|した|から|で|と|も|する"),
        answer=words("答え|答|正解|正答|回答|最終解答|最終回答|正しい選択肢"),
        solution=words("解答|解"),
        correct=words("正しい|最終的な|最も適切な|最適な|最終|正しい答えの|最終の"),
        wrong=words("間違った|誤った|間違っている|誤っている|正しくない|不適切な"),
        option=words("選択肢|記号|番号"),
        about=words("としては|として|の記号|の選択肢|の番号"),
        copulas=words("は|は、|が|は選択肢|は、選択肢"),
        tails=words(
            "です|でした|となります|になります|である|だ|でしょう|であります|ですね|だと思います"
            "|だと考えられます|と考えられます|と思います|と考えます|となる|になる|でございます"
            "|ということになります|です、|番です|番|の選択肢です|のようです|ですが|なので|ですので"
        ),
        is_answer=words(
            "が正解です|が正解|が答えです|が答え|が正しい答えです|が正しい選択肢です"
            "|が正解となります|が正解になります|が正答です|が最も適切な答えです|が正しい答え"
            "|が最も適切な選択肢です|を選びます|を選択します|が正解だ|が正解である"
        ),
        is_correct=words(
            "が正しいです|が正しい|が最も適切です|が適切です|が最も適切である|が最適です"
        ),
        so=words(
            "したがって|従って|よって|だから|つまり|ゆえに|以上より|以上のことから|そのため"
            "|それゆえ"
        ),
        because=words("なぜなら|理由は|というのは"),
        conditions=words("もし|仮に|ならば|場合|とすると|とすれば|であれば"),
        examples=words("例えば|たとえば"),
        negations=words(
            "ではない|ではありません|でない|じゃない|ではなく|とは限|はない"
        ),
        denials=words(
            "ではない|ではありません|でない|じゃない|ではなく|とは限|はない|ではないです"
        ),
        that=words("と"),
        limits=words("少なくとも|最大|最低|未満|以上|以下"),
        joins=words("または|もしくは|か|と|及び|および|や|から"),
        yes=words("はい|正しい|真|そうです|正解|肯定|可能"),
        no=words("いいえ|誤り|偽|正しくない|違います|間違い|否定|不可能|いえ|不正解"),
        none=words(
            "なし|ない|不明|わかりません|分かりません|特定できません|決定できません|どれも"
            "|どちらも|該当なし|ありません"
        ),
        scales={"百": 2, "千": 3, "万": 4, "億": 8, "百万": 6},
        question_heads=words("質問|問題|次の問題|問|設問|ユーザー|お題"),
        rationale_heads=words(
            "説明|解説|理由|根拠|推論|考察|思考過程|解き方|途中式|ステップごとの答え"
        ),
    ),
    Language(
        code="ko",
        name="Korean",
        right_bound=False,
        common=words(
            "은|는|이|가|을|를|에서|입니다|있는|하는|것은|다음|중|무엇|그리고"
        ),
        answer=words(
            "정답|답|최종 답|최종 정답|해답|최종 답변|최종답|올바른 답|답변|정답 번호"
        ),
        correct=words("올바른|최종|정확한|가장 적절한|옳은|맞는|따라서"),
        wrong=words("틀린|잘못된|옳지 않은|올바르지 않은"),
        option=words("선택지|보기|옵션|번호"),
        about=words("으로|으로는|의"),
        copulas=words("은|는|이|가|란|은 보기|은 선택지|은 옵션"),
        tails=words(
            "입니다|이다|이에요|예요|이며|다|임|이고|번입니다|번이다|번|가 됩니다|이 됩니다"
            "|가 된다|이 된다|이 맞습니다|가 맞습니다|이라고 할 수 있습니다|라고 할 수 있습니다"
            "|로 볼 수 있습니다|일 것입니다|인 것 같습니다|개입니다|입니다만"
        ),
        is_answer=words(
            "가 정답입니다|이 정답입니다|가 정답이다|이 정답이다|가 정답|이 정답|번이 정답입니다"
            "|가 답입니다|이 답입니다|가 답이다|이 답이다|가 올바른 답입니다|이 올바른 답입니다"
            "|을 선택합니다|를 선택합니다|가 정답이 됩니다|이 정답이 됩니다|번이 정답이다"
            "|가 정답으로|이 정답으로"
        ),
        is_correct=words(
            "가 맞습니다|이 맞습니다|가 옳습니다|이 옳습니다|가 올바릅니다|이 올바릅니다"
            "|가 가장 적절합니다|이 가장 적절합니다|가 적절합니다|이 적절합니다"
        ),
        so=words("따라서|그러므로|그래서|즉|결국|결론적으로|고로|그렇기 때문에"),
        because=words("왜냐하면|이유는"),
        conditions=words("만약|만일|가정하면|라면|이라면|경우"),
        examples=words("예를 들어|예시"),
        negations=words("아닙니다|아니다|아니라|않습니다|않다|아닌"),
        denials=words("아닙니다|아니다|아니라|않습니다|않다|아닌|아니에요|아님"),
        that=words("라고"),
        limits=words("적어도|최소|최대|미만|초과|이상|이하"),
        joins=words("또는|혹은|이나|나|와|과|및|에서|이거나"),
        yes=words("예|네|참|맞다|맞습니다|그렇습니다|그렇다|옳다|맞음"),
        no=words(
            "아니요|아니오|아뇨|거짓|틀리다|틀렸습니다|아닙니다|아니다|그렇지 않습니다"
            "|그렇지 않다|틀림"
        ),
        none=words("없음|없습니다|없다|알 수 없|불명|모릅니다|모두|둘 다|정할 수 없"),
        scales={"백": 2, "천": 3, "만": 4, "억": 8, "백만": 6},
        question_heads=words("질문|문제|다음 문제|사용자|물음"),
        rationale_heads=words("설명|해설|풀이|이유|근거|추론|풀이 과정|단계별 답변"),
    ),
    Language(
        code="vi",
        name="Vietnamese",
        decimal_comma=True,
        common=words(
            "là|của|và|có|không|được|một|các|cho|những|trong|với|nào|bao nhiêu|vì|nên"
            "|đã|này|đó|người|số"
        ),
        answer=words(
            "đáp án|câu trả lời|trả lời|đáp số|kết quả cuối cùng|phương án đúng"
        ),
        correct=words("đúng|chính xác|cuối cùng|đúng nhất|phù hợp nhất|tốt nhất"),
        wrong=words("sai"),
        option=words("phương án|đáp án|lựa chọn|câu|chữ cái|ý"),
        about=words("cho câu hỏi|cho câu hỏi này|của câu hỏi|của bài toán|ở đây"),
        copulas=words("là|sẽ là|phải là|chính là|đó là|là phương án|là đáp án"),
        bare=True,
        is_answer=words(
            "là đáp án đúng|là câu trả lời đúng|là đáp án chính xác|là phương án đúng"
            "|là lựa chọn đúng|là đáp án"
        ),
        is_correct=words("là đúng|là chính xác|đúng"),
        choose=words("vậy chọn|do đó chọn|ta chọn|nên chọn"),
        pick=words("chọn|tôi chọn|em chọn"),
        so=words("vậy|vì vậy|do đó|vì thế|như vậy|suy ra|tóm lại|nên|cho nên|bởi vậy"),
        because=words("vì|bởi vì|do|bởi|tại vì"),
        conditions=words("nếu|giả sử|trừ khi|trong trường hợp"),
        examples=words("ví dụ"),
        negations=words("không|chưa|chẳng|không phải"),
        that=words("rằng|là"),
        limits=words("ít nhất|nhiều nhất|ít hơn|nhiều hơn|tối đa|tối thiểu"),
        joins=words("hoặc|và|hay|đến"),
        yes=words("có|đúng|phải|vâng|đúng vậy"),
        no=words("không|sai|không đúng|không phải"),
        none=words(
            "không có|không xác định|không thể|không rõ|chưa biết|cả hai|không đáp án nào"
        ),
        scales={"nghìn": 3, "ngàn": 3, "triệu": 6, "tỷ": 9, "tỉ": 9},
        question_heads=words("câu hỏi|câu hỏi tiếp theo|bài toán|người dùng|hỏi"),
        rationale_heads=words("giải thích|lời giải|lập luận|lý do|bài giải"),
    ),
    Language(
        code="th",
        name="Thai",
        left_bound=False,
        right_bound=False,
        common=words("ที่|และ|ใน|ของ|เป็น|จะ|ได้|มี|ให้|ดังนั้น|คือ|กี่|เท่าไหร่"),
        answer=words("คำตอบ|คำตอบสุดท้าย|เฉลย"),
        correct=words("ที่ถูกต้อง|สุดท้าย|ที่ดีที่สุด|ถูกต้อง|ของคำถามนี้"),
        wrong=words("ที่ผิด|ที่ไม่ถูกต้อง"),
        option=words("ตัวเลือก|ข้อ"),
        about=words("ของโจทย์นี้|ก็"),
        copulas=words("คือ|เป็น|คือข้อ|คือตัวเลือก|เท่ากับ|จะเป็น"),
        tails=words("ครับ|ค่ะ|นั่นเอง"),
        is_answer=words("เป็นคำตอบที่ถูกต้อง|คือคำตอบที่ถูกต้อง|เป็นคำตอบ"),
        choose=words("ตอบข้อ|จึงตอบข้อ|เลือกข้อ"),
        so=words("ดังนั้น|เพราะฉะนั้น|จึง|สรุปแล้ว|สรุปว่า"),
        because=words("เพราะ|เนื่องจาก"),
        conditions=words("ถ้า|หาก|สมมติ"),
        examples=words("ตัวอย่างเช่น|เช่น|ตัวอย่าง"),
        negations=words("ไม่ใช่|ไม่"),
        that=words("ว่า"),
        limits=words("อย่างน้อย|มากที่สุด|น้อยกว่า|มากกว่า|ไม่เกิน"),
        joins=words("หรือ|และ|ถึง"),
        yes=words("ใช่|จริง|ถูกต้อง|ถูก"),
        no=words("ไม่ใช่|ไม่จริง|เท็จ|ผิด|ไม่"),
        none=words("ไม่มี|ไม่ทราบ|ไม่สามารถ|ทั้งสอง"),
        scales={"ร้อย": 2, "พัน": 3, "หมื่น": 4, "แสน": 5, "ล้าน": 6},
        question_heads=words("คำถาม|คำถามถัดไป|โจทย์|ปัญหา"),
        rationale_heads=words("คำอธิบาย|วิธีทำ|เหตุผล|อธิบาย|คำตอบทีละขั้นตอน"),
    ),
)
