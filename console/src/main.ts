import { mount } from 'svelte';
import './theme.css';
import './base.css';
import App from './app/App.svelte';

const target = document.getElementById('console');
if (target) mount(App, { target });
