"""Makes the tables of docs/results.md#tables: FOLDER/NAME.train.csv and FOLDER/NAME.test.csv.

    python3 benchmarks/Tables/tables.py FOLDER

Fetches, into FOLDER/sources, the GitHub repositories jbrownlee/Datasets, ageron/handson-ml2 and microsoft/LightGBM (adult, wine, california, higgs and small
tables; UCI CC BY 4.0, MIT) and Debian's packages r-cran-mlbench and r-cran-ggplot2 (letter, satellite, diamonds), and needs git, apt-get and dpkg-deb. Tables
have their official split where there is one; else row i is for testing when the MD5 of i is divisible by 5.
"""
import bz2, csv, gzip, hashlib, io, lzma, math, os, struct, subprocess, sys, zlib

class Reader:
    def __init__(self, data):
        self.d, self.p, self.refs = data, 0, []
    def i(self):
        v = struct.unpack_from(">i", self.d, self.p)[0]; self.p += 4; return v
    def bytes(self, n):
        v = self.d[self.p:self.p+n]; self.p += n; return v
    def length(self):
        n = self.i()
        if n == -1:
            hi, lo = self.i(), self.i(); n = (hi << 32) + lo
        return n
    def item(self):
        flags = self.i()
        t, attr, tag = flags & 255, flags & 512, flags & 1024
        if t in (254, 253, 251, 250, 242, 241, 247): return None
        if t == 255:
            n = flags >> 8
            return self.refs[(n or self.i()) - 1]
        if t == 1:
            v = self.item(); self.refs.append(v); return v
        if t == 2 or t == 6:
            out = []
            while True:
                a = self.item() if attr else None
                k = self.item() if tag else None
                out.append((k, self.item()))
                flags = self.i(); t, attr, tag = flags & 255, flags & 512, flags & 1024
                if t == 254: return out
                if t not in (2, 6): self.p -= 4; out.append((None, self.item())); return out
        if t == 9:
            n = self.i()
            return None if n == -1 else self.bytes(n).decode("latin-1")
        if t == 238:
            info, state, at = self.item(), self.item(), self.item()
            name = info[0][1]
            if name == "compact_intseq":
                n, start, step = state["v"] if isinstance(state, dict) else state
                return {"v": [int(start + k*step) for k in range(int(n))], "a": {}}
            if isinstance(state, list): return state[0][1]
            return state
        if t in (10, 13): v = list(struct.unpack_from(">%di" % (n := self.length()), self.d, self.p)); self.p += 4*len(v)
        elif t == 14: n = self.length(); v = list(struct.unpack_from(">%dd" % n, self.d, self.p)); self.p += 8*n
        elif t in (16, 19, 20): v = [self.item() for _ in range(self.length())]
        elif t == 24: v = self.bytes(self.length())
        else: raise Exception("type %d at %d" % (t, self.p))
        a = dict(self.item()) if attr else {}
        return {"v": v, "a": a}

def unpack(raw):
    if raw[:3] == b"BZh": return bz2.decompress(raw)
    if raw[:2] == b"\x1f\x8b": return gzip.decompress(raw)
    if raw[:6] == b"\xfd7zXZ\0": return lzma.decompress(raw)
    return raw

def parse(data):
    if data[:5] == b"RDX2\n" or data[:5] == b"RDX3\n": data = data[5:]
    assert data[:2] == b"X\n", data[:10]
    r = Reader(data); r.p = 2
    v = r.i(); r.i(); r.i()
    if v == 3: r.bytes(r.i())
    return r.item()

def frame(f):
    names = f["a"]["names"]["v"]
    cols = []
    for c in f["v"]:
        lv = c["a"].get("levels")
        if lv: cols.append(["" if x == -2147483648 else lv["v"][x-1] for x in c["v"]])
        else: cols.append(["" if x is None or x == -2147483648 or x != x else x for x in c["v"]])
    return names, cols

def load_rda(path):
    return {k: v for k, v in parse(unpack(open(path, "rb").read()))}

def load_rdb(stem, name):
    idx = parse(unpack(open(stem + ".rdx", "rb").read()))
    table = dict(zip(idx["a"]["names"]["v"], idx["v"]))
    var = table["variables"]
    off, n = dict(zip(var["a"]["names"]["v"], var["v"]))[name]["v"]
    raw = open(stem + ".rdb", "rb").read()[off:off+n]
    kind = raw[4:5]
    body = {b"2": bz2.decompress, b"Z": lambda b: lzma.decompress(b, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])}.get(kind)
    data = body(raw[5:]) if body else zlib.decompress(raw[4:])
    return parse(data)


def run(*words, cwd=None): subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def fetch(sources):
    os.makedirs(sources, exist_ok=True)
    for repository in ("jbrownlee/Datasets", "ageron/handson-ml2", "microsoft/LightGBM"):
        folder = os.path.join(sources, repository.split("/")[1])
        if not os.path.exists(folder): run("git", "clone", "--depth", "1", "--quiet", "https://github.com/" + repository, folder)
    for package in ("r-cran-mlbench", "r-cran-ggplot2"):
        if not os.path.exists(os.path.join(sources, package)):
            run("apt-get", "download", package, cwd=sources)
            archive = next(f for f in os.listdir(sources) if f.startswith(package) and f.endswith(".deb"))
            run("dpkg-deb", "-x", archive, package, cwd=sources)


def is_test(i): return int(hashlib.md5(str(i).encode()).hexdigest(), 16) % 5 == 0


def split(rows): return [r for i, r in enumerate(rows) if not is_test(i)], [r for i, r in enumerate(rows) if is_test(i)]


def write(out, name, header, train, test):
    for part, rows in (("train", train), ("test", test)):
        with open(os.path.join(out, name + "." + part + ".csv"), "w", newline="") as f:
            w = csv.writer(f, lineterminator="\n"); w.writerow(header); w.writerows(rows)
    print(name, len(train), len(test), len(header) - 1)


def table(path, delimiter=","):
    with open(path, encoding="latin-1") as f: return [r for r in csv.reader(f, delimiter=delimiter, skipinitialspace=True) if r]


def last(names, cols, label, value=str):
    k = names.index(label)
    rows = [[str(c[i]) for j, c in enumerate(cols) if j != k] + [value(cols[k][i])] for i in range(len(cols[0]))]
    return [n for n in names if n != label] + ["Label"], rows


def main(out):
    sources = os.path.join(out, "sources")
    fetch(sources)
    uci, site = os.path.join(sources, "Datasets"), "usr/lib/R/site-library"
    names = "age workclass fnlwgt education educationnum marital occupation relationship race sex gain loss hours country Label".split()
    adult = lambda f: [["" if v == "?" else v for v in r[:-1]] + ["1" if r[-1].startswith(">50K") else "0"] for r in table(os.path.join(uci, f)) if len(r) == 15]
    write(out, "adult", names, adult("adult-train.csv"), adult("adult-test.csv"))
    wine = [r[:-1] + [c, r[-1]] for c, f in (("0", "white"), ("1", "red")) for r in table(os.path.join(uci, "winequality-%s.csv" % f))]
    write(out, "wine", ["f%d" % i for i in range(11)] + ["red", "Label"], *split(wine))
    for name, data, label, train in (("letter", "LetterRecognition", "lettr", 16000), ("satellite", "Satellite", "classes", 4435), ("vehicle", "Vehicle", "Class", 0),
                                     ("vowel", "Vowel", "Class", 0), ("sonar", "Sonar", "Class", 0), ("ionosphere", "Ionosphere", "Class", 0), ("glass", "Glass", "Type", 0),
                                     ("breast", "BreastCancer", "Class", 0), ("votes", "HouseVotes84", "Class", 0), ("zoo", "Zoo", "type", 0),
                                     ("soybean", "Soybean", "Class", 0), ("dna", "DNA", "Class", 0), ("shuttle", "Shuttle", "Class", 0),
                                     ("diabetes", "PimaIndiansDiabetes2", "diabetes", 0)):
        head, rows = last(*frame(load_rda(os.path.join(sources, "r-cran-mlbench", site, "mlbench/data", data + ".rda"))[data]), label)
        write(out, name, head, *((rows[:train], rows[train:]) if train else split(rows)))
    head, rows = last(*frame(load_rdb(os.path.join(sources, "r-cran-ggplot2", site, "ggplot2/data/Rdata"), "diamonds")), "price", lambda v: repr(math.log(v)))
    write(out, "diamonds", head, *split(rows))
    higgs = lambda f: [r[1:] + r[:1] for r in table(os.path.join(sources, "LightGBM/examples/binary_classification", f), "\t")]
    train, test = higgs("binary.train"), higgs("binary.test")
    write(out, "higgs", ["f%d" % i for i in range(len(train[0]) - 1)] + ["Label"], train, test)
    houses = table(os.path.join(sources, "handson-ml2/datasets/housing/housing.csv"))
    head, rows = last(houses[0], list(zip(*houses[1:])), "median_house_value", lambda v: str(float(v) / 100000))
    write(out, "california", head, *split(rows))
    for name, f in (("pima", "pima-indians-diabetes"), ("german", "german"), ("abalone", "abalone"), ("phoneme", "phoneme"), ("mammography", "mammography"), ("boston", "housing")):
        rows = table(os.path.join(uci, f + ".csv"))
        write(out, name, ["f%d" % i for i in range(len(rows[0]) - 1)] + ["Label"], *split(rows))


if __name__ == "__main__":
    main(sys.argv[1])
