"""Reads a page that stands alone: what is in it and what it links to."""
import re
from html.parser import HTMLParser

VOID = ('meta', 'link', 'br')


class Read(HTMLParser):
    """Collects identifiers, references, cells of tables and the words of figures; refuses tags that don't close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.cells, self.words = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.tags.append(tag)
        attributes = dict(attrs)
        self.ids += [attributes['id']] if 'id' in attributes else []
        self.links += [attributes[name] for name in ('href', 'src') if name in attributes]
        self.links += re.findall(r'url\(([^)]*)\)', ' '.join(value or '' for value in attributes.values()))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def links_to_others(self):
        """Links to other files; identifiers are there once, and there are no scripts."""
        assert len(self.ids) == len(set(self.ids)) and 'script' not in self.tags
        assert {link[1:] for link in self.links if link.startswith('#')} <= set(self.ids)
        return [link for link in self.links if link != 'data:,' and not link.startswith('#')]

    def handle_data(self, data):
        if self.open and self.open[-1] == 'td':
            self.cells.append(data)
        self.words.append(data.strip())
