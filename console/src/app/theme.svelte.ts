/** Light or dark: by the system, or as this browser was told. */
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'tenuto-theme';

class ThemeChoice {
  current = $state<Theme>(THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'system');

  constructor() {
    this.#show();
  }

  choose(theme: Theme) {
    this.current = theme;
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    this.#show();
  }

  /** `theme.css` has the colours of both. */
  #show() {
    document.documentElement.dataset['theme'] = this.current;
  }
}

export const theme = new ThemeChoice();
