/** The stock of the reference shipping service, in `tenuto dev`. */
import { get, post } from './http';

export interface Shelf {
  sku: string;
  onHand: number;
  reserved: number;
}

export const stock = (signal: AbortSignal) => get<Shelf[]>('/participants/shipping/stock', signal);
/** Adds to the stock; the back-orders that could be filled. */
export const restock = (delivered: { sku: string; quantity: number }[]) => post<{ filled: string[] }>('/participants/shipping/restock', delivered);
