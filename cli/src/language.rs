//! The two languages of messages. Both are always there; the reader chooses which comes first.

use std::ffi::OsString;

use clap::ValueEnum;

/// Which language comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// 中文.
    Zh,
}

impl Language {
    /// The language that the words of a command line ask for, before these are understood; otherwise that of the
    /// environment.
    pub(crate) fn asked_for(words: &[OsString]) -> Language {
        let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
        let joined = words.iter().find_map(|word| word.strip_prefix("--lang="));
        let apart = words.windows(2).find(|pair| pair[0] == "--lang");
        match joined.or(apart.map(|pair| pair[1])) {
            Some("en") => Language::En,
            Some("zh") => Language::Zh,
            Some(_) | None => Language::of_environment(),
        }
    }

    /// The language of the environment, as POSIX ranks its variables: `LC_ALL`, `LC_MESSAGES`, `LANG`.
    pub(crate) fn of_environment() -> Language {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Language::of_locale(set.as_deref().unwrap_or_default())
    }

    /// `zh`, `zh_CN.UTF-8` and so on are Chinese, everything else English.
    fn of_locale(locale: &str) -> Language {
        let language = locale.split(['_', '.', '@', '-']).next();
        if language == Some("zh") {
            Language::Zh
        } else {
            Language::En
        }
    }

    /// Both texts in the reader's order.
    pub(crate) fn order<T>(self, en: T, zh: T) -> [T; 2] {
        match self {
            Language::En => [en, zh],
            Language::Zh => [zh, en],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_which_language_comes_first() {
        for (words, language) in [
            ("lingqu --lang zh status", Language::Zh),
            ("lingqu status --lang=zh", Language::Zh),
            ("lingqu --lang en status", Language::En),
        ] {
            let words: Vec<_> = words.split(' ').map(OsString::from).collect();
            assert_eq!(Language::asked_for(&words), language);
        }
    }

    #[test]
    fn the_locale_says_which_language_comes_first() {
        for (locale, language) in [
            ("zh_CN.UTF-8", Language::Zh),
            ("zh", Language::Zh),
            ("zh-Hans", Language::Zh),
            ("en_GB.UTF-8", Language::En),
            ("zha_CN", Language::En),
            ("C", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
