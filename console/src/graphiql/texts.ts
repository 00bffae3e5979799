/** The texts around GraphiQL. */
export const texts = {
  product: 'Tenuto',
  away: (path: string, status: number) => `${path} answered ${status}`,
  failed: (reason: string) => `GraphiQL cannot start: ${reason}`,
  signIn: 'Sign in on the console',
  orHeader: 'and open this page in the same tab, or write a header below: {"authorization": "Bearer tnt_…"}',
};
