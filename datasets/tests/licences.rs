//! Holds the manifest and `LICENSES.md` to the facts that the licences ask for.

use forecast_datasets::{Column, all};

#[test]
fn no_fact_is_left_empty() {
    for dataset in all().unwrap() {
        let facts = [
            &dataset.title,
            &dataset.description,
            &dataset.creator,
            &dataset.source,
            &dataset.license,
            &dataset.changes,
            &dataset.step,
        ];
        assert!(facts.iter().all(|fact| !fact.trim().is_empty()), "{}", dataset.name);
        assert!(dataset.source_url.starts_with("https://"), "{}", dataset.name);
        assert!(dataset.license_url.starts_with("https://"), "{}", dataset.name);
        let described = |column: &Column| !column.unit.is_empty() && !column.meaning.is_empty();
        assert!(dataset.columns.iter().all(described), "{}", dataset.name);
    }
}

#[test]
fn every_file_has_its_section_in_the_licences() {
    let licences = include_str!("../LICENSES.md");
    for dataset in all().unwrap() {
        let heading = format!("## {}\n", dataset.file);
        let section = licences.split(&heading).nth(1).expect(&dataset.file);
        let section = section.split("\n## ").next().unwrap();
        for fact in [&dataset.source_url, &dataset.title] {
            assert!(section.contains(fact.as_str()), "{}: {fact}", dataset.file);
        }
        for url in dataset.license_url.split(" and ") {
            assert!(section.contains(url), "{}: {url}", dataset.file);
        }
    }
}
