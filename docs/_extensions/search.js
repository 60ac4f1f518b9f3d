/* A search by the words of a question, in the titles of sections and the main index entries.

   Sphinx looks for titles and index entries that contain a query as it was typed, and for pages that
   contain all of its words. Here a section is found, too, when one of its names shares most words
   with the query: the rarer a word, the more it counts. Chapters come before notation and glossary
   then, and these before the reference, unless a function is named as code writes it. Sphinx appends
   this file to its own scripts (html_search_scorer). */

{
  const ASKING = new Set(["can", "many", "much", "use", "used", "work", "works"]);
  const WEIGHTS = [["chapters/", 1], ["appendix/", 0.98], ["reference/", 0.8]];
  const MAIN_ENTRY = 5;
  const NAMED = 100;

  const wordsOf = (text) => {
    const stemmer = new Stemmer();
    const words = splitQuery(text.toLowerCase()).filter((word) => !stopwords.has(word));
    return new Map(words.map((word) => [stemmer.stemWord(word), ASKING.has(word)]));
  };

  /* Theorems have their names in parentheses; exercises, after the word. */
  const readable = (title) => title.replace(/^ \((.*)\)$/, "$1").replace(/^Exercise(?=\S)/, "Exercise: ");

  /* The names of places in the book, what to call these, and how much a word counts. */
  const readIndex = ({ alltitles, indexentries }) => {
    const names = [];
    const titles = new Map();
    const rarity = new Map();
    const add = (text, place) => {
      const words = wordsOf(text);
      for (const word of words.keys()) rarity.set(word, (rarity.get(word) ?? 0) + 1);
      names.push({ words, place });
    };
    for (const [title, places] of Object.entries(alltitles))
      for (const [file, id] of places) {
        titles.set(`${file}#${id ?? ""}`, readable(title));
        add(title, { file, id });
      }
    for (const [entry, places] of Object.entries(indexentries))
      for (const [file, id] of places) {
        const key = `${file}#${id}`;
        if (!titles.has(key)) titles.set(key, entry);
        add(entry, { file, id, entry });
      }
    const weigh = (words) => {
      let sum = 0;
      for (const [word, asking] of words)
        if (rarity.has(word)) sum += asking ? 1 : Math.log(1 + names.length / rarity.get(word));
      return sum;
    };
    return { names, titles, weigh };
  };

  const findSections = (query, { names, weigh }) => {
    const asked = wordsOf(query);
    return names.flatMap(({ words, place }) => {
      const common = new Map([...words].filter(([word]) => asked.has(word)));
      const share = (2 * weigh(common)) / (weigh(asked) + weigh(words));
      return share >= 0.5 ? [{ ...place, score: 100 * share + (place.entry ? MAIN_ENTRY : 0) }] : [];
    });
  };

  /* Whether a result is the function or class that is named, and not one that contains the name. */
  const isNamed = (query, [, name, , , , , kind]) =>
    kind === SearchResultKind.object
    && /[_.(]/.test(query)
    && name.split(".").at(-1) === query.trim().replace(/\(.*/, "").split(".").at(-1);

  let read = null;
  const searchAsTyped = Search._performSearch;

  Search._performSearch = (query, ...terms) => {
    read ??= readIndex(Search._index);
    const { docnames, filenames, titles } = Search._index;
    const best = new Map();
    const offer = (result) => {
      const key = result[0] + result[2];
      if (!best.has(key) || best.get(key)[4] < result[4]) best.set(key, result);
    };
    for (const { file, id, entry, score } of findSections(query, read)) {
      const kind = entry ? SearchResultKind.index : SearchResultKind.title;
      offer([docnames[file], titles[file], id ? `#${id}` : "", entry ?? null, score, filenames[file], kind]);
    }
    searchAsTyped(query, ...terms).forEach(offer);
    const results = [...best.values()];
    for (const result of results) {
      const file = docnames.indexOf(result[0]);
      const section = result[2] && read.titles.get(file + result[2]);
      if (section) result[1] = `${titles[file]} > ${section}`;
      if (result[3] === section) result[3] = null;
      const [, weight] = WEIGHTS.find(([folder]) => result[0].startsWith(folder)) ?? ["", 1];
      result[4] = weight * result[4] + (isNamed(query, result) ? NAMED : 0);
    }
    return results.sort(_orderResultsByScoreThenName);
  };
}
