"""What is in a page, for tests of pages."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "path", "circle", "use"}


class Reader(HTMLParser):
    """Elements with their attributes, and the text outside styles; elements must be closed in order."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attributes for found, attributes in self.elements if found == tag]
