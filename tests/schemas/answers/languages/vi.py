"""Vietnamese: a question, its options A to D, and what is read from texts."""

QUESTION = "Thành phố nào là thủ đô của nước và có bao nhiêu người?"
OPTIONS = ("quả táo", "Hà Nội", "quả lê", "Huế")
CHOICE = (
    ("Đáp án là B.", "B"),
    ("Đáp án đúng là B.", "B"),
    ("Đáp án: B", "B"),
    ("Câu trả lời đúng là (B) Hà Nội.", "B"),
    ("Đáp án không phải là B.", None),
    ("Nếu trời mưa thì đáp án là B.", None),
    ("Đáp án là A hoặc B.", None),
    ("B là đáp án đúng.", "B"),
    ("Vậy chọn B.", "B"),
    ("Vậy đáp án là phương án B.", "B"),
    ("Vậy đáp án đúng là **B. Hà Nội**.", "B"),
    ("Đáp án: **B**", "B"),
    ("Chọn B.", "B"),
    ("Chọn đáp án B.", "B"),
    ("Đáp án chính xác là B.", "B"),
    ("Do đó, câu trả lời đúng là B.", "B"),
    ("Đáp án đúng: B", "B"),
    ("Phương án đúng là B.", "B"),
    ("Câu trả lời: B", "B"),
    ("Đáp án có thể là B.", None),
    ("Đáp án sai là B.", None),
    ("Đáp án là A hay B.", None),
)
NUMBER = (
    ("Câu trả lời là 42.", "42"),
    ("Đáp số: 3,5", "3.5"),
    ("Đáp số: 42 quả táo", "42"),
    ("Vậy câu trả lời cuối cùng là 42.", "42"),
    ("Đáp án: 42 quả", "42"),
    ("Trả lời: 42", "42"),
)
YES_NO = (
    ("Câu trả lời là có.", "yes"),
    ("Không, vì trời lạnh.", "no"),
    ("Câu trả lời là không.", "no"),
)
TEXT = ()
