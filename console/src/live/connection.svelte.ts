/** The state of the live connection of the page, for the frame around it. */
class Connection {
  /** `none`: the page follows nothing. */
  state = $state<'none' | 'connecting' | 'live' | 'lost'>('none');
  /** When it was lost. */
  lostAt = $state<number | undefined>(undefined);
  /** Whether it came back a moment ago. */
  isRegained = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  opening() {
    if (this.state !== 'lost') this.state = 'connecting';
  }

  opened() {
    if (this.state === 'lost') {
      this.isRegained = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => (this.isRegained = false), 4000);
    }
    this.state = 'live';
    this.lostAt = undefined;
  }

  lost() {
    if (this.state !== 'lost') this.lostAt = Date.now();
    this.isRegained = false;
    this.state = 'lost';
  }

  closed() {
    this.state = 'none';
    this.lostAt = undefined;
    this.isRegained = false;
  }
}

export const connection = new Connection();
